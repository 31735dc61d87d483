package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/secret"
)

const (
	// FileName is the file's name in the state directory.
	FileName = "tokens.json"
	// MaxTokens bounds how many tokens there are: a request is compared with each.
	MaxTokens = 100
	// maxFile bounds the file, in bytes. MaxTokens of the longest names take half of it.
	maxFile = 64 << 10
	// schema is the format of the file. A program that does not know it accepts no token.
	schema = 1
	// fileMode: who can read the file learns names and scopes, and no token.
	fileMode = 0o600
)

// Store is the file of the tokens at a host path. Its methods may be called
// concurrently, also in several processes.
type Store struct {
	// Path is the file's; its directory must exist. The file need not.
	Path string
}

// contents is the file.
type contents struct {
	Schema int     `json:"schema"`
	Tokens []Token `json:"tokens"`
}

// List returns all tokens, the expired ones too, in the order in which they were made.
// Errors: ErrUnreadable.
func (s Store) List() ([]Token, error) {
	text, err := secret.ReadFile(s.Path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	all, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUnreadable, s.Path, err)
	}
	return all, nil
}

// Check returns the token whose text it is, if it is of use at a time. It reads the file
// anew. Errors: ErrUnknown, ErrExpired, ErrUnreadable. No error has the text in it.
func (s Store) Check(text string, now time.Time) (Token, error) {
	all, err := s.List()
	if err != nil {
		return Token{}, err
	}
	t, ok := find(all, text)
	switch {
	case !ok:
		return Token{}, ErrUnknown
	case t.Expired(now):
		return Token{}, fmt.Errorf("%w: %s, on %s", ErrExpired, t.Name, t.Expires.Format(time.RFC3339))
	}
	return t, nil
}

// Create makes a token. When it returns, the token is on disk, and its text is nowhere
// but in the answer. If the power goes before that, the file has it or not; nobody has
// been told its text, so it is worth nothing, and Revoke removes it. Errors: ErrInvalid,
// ErrUnreadable.
func (s Store) Create(t Token) (secret.Text, error) {
	if err := ValidName(t.Name); err != nil {
		return secret.Text{}, err
	}
	text := generate()
	t.Created, t.SHA256 = t.Created.UTC().Truncate(time.Second), digest(text.Reveal())
	err := s.change(func(all []Token) ([]Token, error) {
		if slices.ContainsFunc(all, func(o Token) bool { return o.Name == t.Name }) {
			return nil, fmt.Errorf(`%w: there is one of the name %s; revoke it first ("tope-updater token revoke %s"), or choose another name`, ErrInvalid, t.Name, t.Name)
		}
		if len(all) >= MaxTokens {
			return nil, fmt.Errorf("%w: there are %d, the most there may be; revoke those that nobody uses (\"tope-updater token list\")", ErrInvalid, len(all))
		}
		return append(all, t), nil
	})
	if err != nil {
		return secret.Text{}, err
	}
	return text, nil
}

// Revoke removes a token and returns what it was. From then on it is refused, also by a
// daemon that runs. It is on disk when Revoke returns; if the power goes before that, the
// token is there or not. Errors: ErrUnknown, ErrUnreadable.
func (s Store) Revoke(name string) (gone Token, err error) {
	err = s.change(func(all []Token) ([]Token, error) {
		i := slices.IndexFunc(all, func(t Token) bool { return t.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("%w as %.80q; \"tope-updater token list\" has those there are", ErrUnknown, name)
		}
		gone = all[i]
		return slices.Delete(all, i, i+1), nil
	})
	return gone, err
}

// change replaces the tokens. Of several processes, one does so at a time.
func (s Store) change(edit func([]Token) ([]Token, error)) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	all, err := s.List()
	if err != nil {
		return err
	}
	if all, err = edit(all); err != nil {
		return err
	}
	text, err := json.MarshalIndent(contents{schema, all}, "", "\t")
	if err != nil {
		return err
	}
	// On disk if the power goes here: the old file or the new one, whole.
	if err := disk.WriteFile(s.Path, append(text, '\n'), fileMode); err != nil {
		return fmt.Errorf("cannot keep the tokens: %w", err)
	}
	return nil
}

// lock waits for the lock under which the file is changed: that of its directory. It
// ends with unlock or with the process.
func (s Store) lock() (unlock func(), err error) {
	dir, err := os.Open(filepath.Dir(s.Path))
	if err != nil {
		return nil, fmt.Errorf("cannot keep the tokens: %w", err)
	}
	for {
		err = unix.Flock(int(dir.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		dir.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", dir.Name(), err)
	}
	return func() { dir.Close() }, nil
}

// parse reads the file. What it does not know, such as a limit that a newer program has
// put on a token, must not be left out of account: it is an error.
func parse(text []byte) ([]Token, error) {
	var c contents
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more behind the tokens")
	}
	if c.Schema != schema {
		return nil, fmt.Errorf("its format is %d, and this program knows %d", c.Schema, schema)
	}
	if len(c.Tokens) > MaxTokens {
		return nil, fmt.Errorf("it has %d tokens, more than %d", len(c.Tokens), MaxTokens)
	}
	names := map[string]bool{}
	for _, t := range c.Tokens {
		if err := t.check(); err != nil {
			return nil, err
		}
		if names[t.Name] {
			return nil, fmt.Errorf("%s is there twice", t.Name)
		}
		names[t.Name] = true
	}
	return c.Tokens, nil
}

// check returns what is wrong with a token of the file.
func (t Token) check() error {
	if err := ValidName(t.Name); err != nil {
		return err
	}
	for _, s := range t.Scopes {
		if !slices.Contains(Scopes(), s) {
			return fmt.Errorf("token %s has the scope %.40q, which this program does not know", t.Name, s)
		}
	}
	if len(t.SHA256) != hexDigest || !isHex(t.SHA256) {
		return fmt.Errorf("token %s has no SHA-256", t.Name)
	}
	return nil
}

const hexDigest = 64

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
