// Command flatten shows what programs of others see in an image: the files that its layers leave,
// as JSON.
//
//	flatten READER LAYOUT DIGEST FOLDER
//
// READER is one of
//
//	ggcr     go-containerregistry, and with it crane and oc-mirror
//	olm      containerd with the filters of OLM v1: nothing but FOLDER is unpacked
//	overlay  layers as containerd unpacks them for overlayfs, mounted by the kernel (as root)
//	crio     the same as containers/storage unpacks them, and with it CRI-O and podman (as root)
//
// LAYOUT is an OCI image layout, DIGEST an image of it, FOLDER the folder of a catalog.
package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/pkg/archive"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	storage "go.podman.io/storage/pkg/archive"
	"golang.org/x/sys/unix"
)

// found has the text of each file by its path; a folder has its mode instead, as "folder 755".
type found map[string]string

func main() {
	if len(os.Args) != 5 {
		fail(errors.New("usage: flatten ggcr|olm|overlay|crio LAYOUT DIGEST FOLDER"))
	}
	files, err := flatten(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(files); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "flatten:", err)
	os.Exit(1)
}

func flatten(reader, folder, digest, catalog string) (files found, err error) {
	hash, err := v1.NewHash(digest)
	if err != nil {
		return nil, err
	}
	image, err := layout.Path(folder).Image(hash)
	if err != nil {
		return nil, err
	}
	if reader == "ggcr" {
		return extracted(image)
	}
	scratch, err := os.MkdirTemp("", "flatten-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	switch reader {
	case "olm":
		return unpacked(image, scratch, catalog)
	case "overlay":
		return mounted(image, scratch, unpackedByContainerd)
	case "crio":
		return mounted(image, scratch, unpackedByStorage)
	default:
		return nil, fmt.Errorf("no such reader: %s", reader)
	}
}

func extracted(image v1.Image) (found, error) {
	files := found{}
	reading := mutate.Extract(image)
	defer reading.Close()
	entries := tar.NewReader(reading)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		name := path.Clean(header.Name)
		if header.Typeflag == tar.TypeDir {
			files[name] = folderOf(header.FileInfo().Mode())
			continue
		}
		// Who unpacks this writes an entry over the one before it.
		text, err := io.ReadAll(entries)
		if err != nil {
			return nil, err
		}
		files[name] = string(text)
	}
}

func unpacked(image v1.Image, root, catalog string) (found, error) {
	filter := all(onlyBelow(catalog), owned())
	err := eachLayer(image, func(_ int, content io.Reader) error {
		_, err := archive.Apply(context.Background(), root, content, archive.WithFilter(filter))
		return err
	})
	if err != nil {
		return nil, err
	}
	return walked(root)
}

// Puts a layer into a folder of its own. The folders are those of all layers so far, its own first.
type unpack func(content io.Reader, folders []string) error

func unpackedByContainerd(content io.Reader, folders []string) error {
	whiteouts := archive.WithConvertWhiteout(archive.OverlayConvertWhiteout)
	parents := archive.WithParents(folders[1:])
	_, err := archive.Apply(context.Background(), folders[0], content, whiteouts, parents)
	return err
}

func unpackedByStorage(content io.Reader, folders []string) error {
	options := storage.TarOptions{WhiteoutFormat: storage.OverlayWhiteoutFormat}
	return storage.Untar(content, folders[0], &options)
}

func mounted(image v1.Image, scratch string, unpack unpack) (files found, err error) {
	// Overlayfs wants two folders at least.
	empty := filepath.Join(scratch, "empty")
	folders := []string{empty}
	err = eachLayer(image, func(number int, content io.Reader) error {
		root := filepath.Join(scratch, strconv.Itoa(number))
		folders = append([]string{root}, folders...)
		if err := os.Mkdir(root, 0o755); err != nil {
			return err
		}
		return unpack(content, folders)
	})
	if err != nil {
		return nil, err
	}
	root := filepath.Join(scratch, "root")
	for _, folder := range []string{root, empty} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			return nil, err
		}
	}
	options := "lowerdir=" + strings.Join(folders, ":")
	if err := unix.Mount("overlay", root, "overlay", unix.MS_RDONLY, options); err != nil {
		return nil, fmt.Errorf("overlay cannot be mounted: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Unmount(root, 0)) }()
	return walked(root)
}

func eachLayer(image v1.Image, take func(number int, content io.Reader) error) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for number, layer := range layers {
		content, err := layer.Uncompressed()
		if err != nil {
			return err
		}
		err = take(number, content)
		if err := errors.Join(err, content.Close()); err != nil {
			return fmt.Errorf("layer %d: %w", number, err)
		}
	}
	return nil
}

func walked(root string) (found, error) {
	files := found{}
	err := filepath.WalkDir(root, func(at string, entry fs.DirEntry, err error) error {
		if err != nil || at == root {
			return err
		}
		name, err := filepath.Rel(root, at)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if entry.IsDir() {
			files[name] = folderOf(info.Mode())
			return nil
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no file", name)
		}
		text, err := os.ReadFile(at)
		files[name] = string(text)
		return err
	})
	return files, err
}

func folderOf(mode fs.FileMode) string {
	bits := uint32(mode.Perm())
	if mode&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return fmt.Sprintf("folder %o", bits)
}

// What operator-controller does before it looks at an entry: what is not the folder of the catalog
// or below it does not exist, whiteouts of the folder included.
func onlyBelow(folder string) archive.Filter {
	wanted := path.Clean(strings.TrimPrefix(folder, "/"))
	return func(header *tar.Header) (bool, error) {
		relative, err := filepath.Rel(wanted, path.Clean(strings.TrimPrefix(header.Name, "/")))
		return err == nil && relative != ".." && !strings.HasPrefix(relative, "../"), err
	}
}

// Everything belongs to the one who unpacks it, and nothing keeps that one out.
func owned() archive.Filter {
	user, group := os.Getuid(), os.Getgid()
	return func(header *tar.Header) (bool, error) {
		header.Uid, header.Gid = user, group
		header.Mode |= 0o700
		header.PAXRecords = nil
		return true, nil
	}
}

func all(filters ...archive.Filter) archive.Filter {
	return func(header *tar.Header) (bool, error) {
		for _, filter := range filters {
			if keeps, err := filter(header); err != nil || !keeps {
				return false, err
			}
		}
		return true, nil
	}
}
