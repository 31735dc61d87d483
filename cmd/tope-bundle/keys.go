package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"aead.dev/minisign"
	"github.com/spf13/cobra"

	"github.com/tope/updater/steps"
)

func (a *app) keygenCommand() *cobra.Command {
	var password string
	cmd := &cobra.Command{
		Use:   "keygen NAME",
		Short: "make a key pair: NAME.key to sign with, NAME.pub for the devices",
		Long: `Make a key pair in minisign's format: NAME.key signs releases and is kept
secret, NAME.pub goes to /etc/tope-updater/keys on each device, or for a key that
signs channels into the directory channel there. Neither file is ever replaced. Without --password-file the secret key is not encrypted, as a CI
pipeline needs it: keep it where only that can read it.`,
		RunE: func(_ *cobra.Command, args []string) error { return a.keygen(args[0], password) },
	}
	cmd.Flags().StringVar(&password, "password-file", "", "encrypt the secret key with the password in `file`")
	return cmd
}

func (a *app) keygen(name, passwordFile string) error {
	// Both before either is written: half a pair beside half of another is of no use.
	for _, file := range []string{name + ".key", name + ".pub"} {
		if _, err := os.Lstat(file); err == nil {
			return fmt.Errorf("%s is there already, and a key is never replaced: choose another name, or move the old pair away", file)
		}
	}
	public, private, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	secret, err := private.MarshalText()
	if passwordFile != "" {
		var password string
		if password, err = readPassword(passwordFile); err == nil {
			secret, err = minisign.EncryptKey(password, private)
		}
	}
	if err != nil {
		return err
	}
	text, err := public.MarshalText()
	if err != nil {
		return err
	}
	if err := writeNew(name+".key", secret, 0o600); err != nil {
		return err
	}
	if err := writeNew(name+".pub", append(text, '\n'), 0o644); err != nil {
		return err
	}
	if a.json {
		return a.document(map[string]string{"id": fmt.Sprintf("%016X", public.ID()), "secret": name + ".key", "public": name + ".pub"})
	}
	a.say("key %016X", public.ID())
	a.say("%s.key signs: keep it secret", name)
	a.say("%s.pub goes to /etc/tope-updater/keys on the devices; into channel/ there, for a key that signs channels", name)
	return nil
}

func writeNew(name string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot write %s: the directory %s is not there: make it first", name, filepath.Dir(name))
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("cannot write %s: it is there already, and is never replaced: choose another name", name)
	case err != nil:
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// readPassword reads a password, which is never empty.
func readPassword(name string) (string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	password := strings.TrimRight(string(data), "\r\n")
	if strings.TrimSpace(password) == "" {
		return "", fmt.Errorf("there is no password in %s: write one line with it into that file", name)
	}
	return password, nil
}

// keyFlags name the secret key to a verb.
type keyFlags struct{ key, password string }

func (k *keyFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.key, "key", "", "secret key `file` to sign with; - for standard input")
	cmd.Flags().StringVar(&k.password, "password-file", "", "`file` with the password of an encrypted key")
}

// load reads the key.
func (k *keyFlags) load(in io.Reader) (key minisign.PrivateKey, err error) {
	var data []byte
	if k.key == "-" {
		data, err = io.ReadAll(io.LimitReader(in, 64<<10))
	} else {
		data, err = os.ReadFile(k.key)
	}
	if err != nil {
		return key, fmt.Errorf("cannot read the secret key: %w", err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return key, fmt.Errorf("the secret key %s is empty: is a variable not set, or the file not written?", k.key)
	}
	if minisign.IsEncrypted(data) {
		if k.password == "" {
			return key, usagef("the secret key is encrypted: name the file with its password by --password-file")
		}
		password, err := readPassword(k.password)
		if err != nil {
			return key, err
		}
		if key, err = minisign.DecryptKey(password, data); err != nil {
			return key, fmt.Errorf("cannot decrypt the secret key %s: %w; is the password right?", k.key, err)
		}
		return key, nil
	}
	if k.password != "" {
		return key, usagef("the secret key %s is not encrypted: leave --password-file out", k.key)
	}
	if err := key.UnmarshalText(data); err != nil {
		return key, fmt.Errorf("%s is not a secret key of minisign or tope-bundle keygen: %w", k.key, err)
	}
	return key, nil
}

// signedBy returns a judge that accepts signatures of these public keys.
func signedBy(files []string, by *string) (func(packed, signature []byte) error, error) {
	var keys []minisign.PublicKey
	for _, f := range files {
		key, err := minisign.PublicKeyFromFile(f)
		if err != nil {
			return nil, fmt.Errorf("cannot read the public key %s: %w", f, err)
		}
		keys = append(keys, key)
	}
	return func(packed, signature []byte) error {
		for i, key := range keys {
			if minisign.Verify(key, packed, signature) {
				*by = fmt.Sprintf("%016X (%s)", key.ID(), files[i])
				return nil
			}
		}
		return &steps.Error{
			Class: steps.Refused, Code: steps.BadSignature,
			Err:  errors.New("none of the keys made the signature"),
			Hint: "is it signed, and are these the right keys?",
		}
	}, nil
}

func anySignature([]byte, []byte) error { return nil }
