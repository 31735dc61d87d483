package secret

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// longest bounds a file with one secret; tokens have a few hundred bytes.
const longest = 16 << 10

// ErrNotOneLine means that the file has something else than one line of text.
var ErrNotOneLine = errors.New("it must have one line of text and nothing else")

// Read takes the secret from the file at a host path: its one line, without the line's
// end and the blanks around it. It reads at most 16 KiB. Errors name the path and never
// quote the content: ErrNotOneLine, or why the file cannot be read.
func Read(path string) (Text, error) {
	text, err := ReadFile(path, longest)
	if err != nil {
		return Text{}, err
	}
	line := strings.TrimSpace(string(text))
	if line == "" || strings.ContainsFunc(line, unicode.IsControl) {
		return Text{}, fmt.Errorf("%s: %w", path, ErrNotOneLine)
	}
	return New(line), nil
}

// ReadFile reads a regular file of at most most bytes. It does not wait for the other
// end of a pipe.
func ReadFile(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(text)) > most:
		return nil, fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return text, nil
}
