// Package filelist is the list that Extract hands to Stage: every file, directory
// and link of a version in the making, with the sizes, modes and digests that were
// taken during writing.
//
// The format is JSON Lines, so that neither step holds the list in memory: a Head,
// then one versions.File a line, then a tail with the count and the digest of all
// lines before it. A list without a matching tail was cut, and is not used. A list
// under its final name also proves that its tree is durable: Extract gives it this
// name after it has synced the tree.
//
// Start at Writer and Read.
package filelist

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/versions"
)

// Name is the list's name in an update's work directory.
const Name = "files.json"

// maxLine is far more than the line of a File with the longest path and target.
const maxLine = 64 << 10

// ErrTorn means that the list is cut short, damaged, or not a list at all.
var ErrTorn = errors.New("the list of files is not whole")

// Head names the update and the release that the list belongs to.
type Head struct {
	Schema  int    `json:"schema"`
	Update  string `json:"update"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

type tail struct {
	End    bool   `json:"end"`
	Count  int    `json:"count"`
	SHA256 string `json:"sha256"`
}

// Writer writes a list under a temporary name. It is for one goroutine.
type Writer struct {
	path  string
	f     *os.File
	out   *bufio.Writer
	sum   hash.Hash
	enc   *json.Encoder
	count int
}

// Create begins a new list in dir, and replaces an unfinished one. A finished list, if
// there is one, stays until Finish.
func Create(dir string, head Head) (*Writer, error) {
	path := filepath.Join(dir, Name)
	f, err := os.OpenFile(disk.TempName(path), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the list of files: %w", err)
	}
	w := &Writer{path: path, f: f, out: bufio.NewWriterSize(f, 16<<10), sum: sha256.New()}
	w.enc = json.NewEncoder(io.MultiWriter(w.out, w.sum))
	w.enc.SetEscapeHTML(false)
	head.Schema = 1
	if err := w.enc.Encode(head); err != nil {
		w.Abandon()
		return nil, err
	}
	return w, nil
}

// Add adds one entry.
func (w *Writer) Add(f versions.File) error {
	w.count++
	return w.enc.Encode(f)
}

// Finish makes the list durable under its name. The caller has to sync the list's tree
// before.
func (w *Writer) Finish() error {
	end, err := json.Marshal(tail{End: true, Count: w.count, SHA256: hex.EncodeToString(w.sum.Sum(nil))})
	if err != nil {
		return err
	}
	_, err = w.out.Write(append(end, '\n'))
	err = errors.Join(err, w.out.Flush())
	if err == nil {
		err = w.f.Sync()
	}
	err = errors.Join(err, w.f.Close())
	if err != nil {
		return fmt.Errorf("write the list of files: %w", err)
	}
	// If the power goes now there is a whole list under a temporary name, which no
	// step reads.
	if err := os.Rename(w.f.Name(), w.path); err != nil {
		return fmt.Errorf("finish the list of files: %w", err)
	}
	return disk.SyncDir(filepath.Dir(w.path))
}

// Abandon gives up a list that will not be finished.
func (w *Writer) Abandon() {
	// Best effort: if the removal fails, the next Create replaces the temporary file.
	_ = w.f.Close()
	_ = os.Remove(w.f.Name())
}

// Remove removes the list in dir, finished or begun, durably: no power cut after
// Remove brings it back. The list and dir may be absent.
func Remove(dir string) error {
	path := filepath.Join(dir, Name)
	for _, name := range []string{path, disk.TempName(path)} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the list of files: %w", err)
		}
	}
	if err := disk.SyncDir(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the list of files: %w", err)
	}
	return nil
}

// Read calls f for every entry of the list in dir and returns the list's head. It
// returns os.ErrNotExist for an absent list, and ErrTorn for one that is not whole.
// That is only known at the end, so the caller must not use the entries that f was
// called with unless Read succeeds.
func Read(dir string, f func(versions.File) error) (Head, error) {
	file, err := os.Open(filepath.Join(dir, Name))
	if err != nil {
		return Head{}, fmt.Errorf("open the list of files: %w", err)
	}
	defer file.Close()
	head, err := read(file, f)
	if err != nil {
		return Head{}, fmt.Errorf("%s: %w", file.Name(), err)
	}
	return head, nil
}

func read(r io.Reader, f func(versions.File) error) (Head, error) {
	var head Head
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	sum, count := sha256.New(), 0
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &head) != nil || head.Schema < 1 {
		return Head{}, errors.Join(ErrTorn, lines.Err())
	}
	hashLine(sum, lines.Bytes())
	for lines.Scan() {
		line := lines.Bytes()
		if bytes.HasPrefix(line, []byte(`{"end":`)) {
			var t tail
			if json.Unmarshal(line, &t) != nil || t.Count != count || t.SHA256 != hex.EncodeToString(sum.Sum(nil)) || lines.Scan() {
				return Head{}, ErrTorn
			}
			return head, nil
		}
		hashLine(sum, line)
		count++
		var entry versions.File
		if json.Unmarshal(line, &entry) != nil {
			return Head{}, ErrTorn
		}
		if err := f(entry); err != nil {
			return Head{}, err
		}
	}
	return Head{}, errors.Join(ErrTorn, lines.Err())
}

func hashLine(sum hash.Hash, line []byte) {
	sum.Write(line)
	sum.Write([]byte{'\n'})
}
