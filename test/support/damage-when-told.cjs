// Damages a file at the moment when the program says something on stderr.
'use strict';
const { readFileSync, truncateSync, writeFileSync } = require('node:fs');
const process = require('node:process');

const { DAMAGE, DAMAGED_FILE, WHEN_TOLD } = process.env;
const write = process.stderr.write.bind(process.stderr);
let isDone = false;
process.stderr.write = (text, ...more) => {
  if (!isDone && String(text).includes(WHEN_TOLD)) {
    isDone = true;
    if (DAMAGE === 'cut') truncateSync(DAMAGED_FILE, 0);
    else {
      const bytes = readFileSync(DAMAGED_FILE);
      for (let at = Math.floor(bytes.length / 3); at < bytes.length; at += 500) bytes[at] ^= 1;
      writeFileSync(DAMAGED_FILE, bytes);
    }
  }
  return write(text, ...more);
};
