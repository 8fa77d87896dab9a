#!/bin/sh
# Starts the program with the Node that lies beside it. Needs no PATH, and may be called through symbolic links.
self=$0
case $self in
  */*) ;;
  *) self=./$self ;;
esac
while [ -h "$self" ]; do
  target=$(command -p readlink "$self") || exit 1
  case $target in
    /*) self=$target ;;
    *) self=${self%/*}/$target ;;
  esac
done
here=$(CDPATH='' cd -P -- "${self%/*}/" && pwd -P) || exit 1
exec "$here/lib/node" "$here/lib/dist/bin.js" "$@"
