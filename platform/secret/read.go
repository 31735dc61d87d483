package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode"

	"golang.org/x/sys/unix"
)

// longest bounds a file with one secret, and longestPrivate one of ReadPrivate; tokens
// have a few hundred bytes.
const (
	longest        = 16 << 10
	longestPrivate = 4 << 10
)

// ErrNotOneLine means that the file has something else than one line of text.
var ErrNotOneLine = errors.New("it must have one line of text and nothing else")

// ErrExposed means that somebody else than root and this process's user owns the file or
// may open it.
var ErrExposed = errors.New("it is a secret that others can get at")

// Read takes the secret from the file at a host path: its one line, without the line's
// end and the blanks around it. It reads at most 16 KiB. Errors name the path and never
// quote the content: ErrNotOneLine, or why the file cannot be read.
func Read(path string) (Text, error) {
	text, err := ReadFile(path, longest)
	if err != nil {
		return Text{}, err
	}
	return oneLine(path, text)
}

// ReadPrivate is Read for a file that root or this process's user owns, and that nobody
// else may read or write; ErrExposed says how to make it so. It has at most 4 KiB.
func ReadPrivate(path string) (Text, error) {
	text, err := readFile(path, longestPrivate, private)
	if err != nil {
		return Text{}, err
	}
	return oneLine(path, text)
}

func oneLine(path string, text []byte) (Text, error) {
	line := strings.TrimSpace(string(text))
	if line == "" || strings.ContainsFunc(line, unicode.IsControl) {
		return Text{}, fmt.Errorf("%s: %w", path, ErrNotOneLine)
	}
	return New(line), nil
}

// private judges owner and mode of a file that is open.
func private(path string, info fs.FileInfo) error {
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode().Perm(); {
	case !ok || owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return fmt.Errorf("%s: %w, since it does not belong to root: chown root %s", path, ErrExposed, path)
	case mode&0o077 != 0:
		return fmt.Errorf("%s: %w, since its mode is %#o: chmod 600 %s", path, ErrExposed, mode, path)
	}
	return nil
}

// ReadFile reads a regular file of at most most bytes. It does not wait for the other
// end of a pipe.
func ReadFile(path string, most int64) ([]byte, error) {
	return readFile(path, most, func(string, fs.FileInfo) error { return nil })
}

// readFile is ReadFile for a file that judge has nothing against. What is judged is what
// is read, whoever replaces the file meanwhile.
func readFile(path string, most int64, judge func(path string, info fs.FileInfo) error) ([]byte, error) {
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
	if err := judge(path, info); err != nil {
		return nil, err
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
