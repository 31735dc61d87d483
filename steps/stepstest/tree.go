package stepstest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Tree pictures everything below the given directories, one entry a path: the
// mode, and the size and digest of a file or the target of a link. Two equal
// pictures are two equal trees, times and owners aside. A directory that is
// absent has no entries.
func Tree(t testing.TB, dirs ...string) map[string]string {
	t.Helper()
	picture := map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil {
				return err
			}
			line, err := describe(path, d)
			picture[path] = line
			return err
		})
		require.NoError(t, err)
	}
	return picture
}

func describe(path string, d fs.DirEntry) (string, error) {
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	switch {
	case info.Mode().IsRegular():
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%v %d bytes %x", info.Mode(), len(data), sha256.Sum256(data)), nil
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return "-> " + target, err
	default:
		return info.Mode().String(), nil
	}
}
