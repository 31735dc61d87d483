package identity

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/secret"
)

// Credential is the name by which systemd hands over the token:
// LoadCredential=fleet.token:FILE, see systemd.exec(5).
const Credential = "fleet.token"

// ErrNoToken means that nothing says where the token is.
var ErrNoToken = errors.New("there is no token: set fleet.token_file, or hand it over with LoadCredential=" + Credential + ":FILE in the daemon's unit")

// Token says where the device's token for a server is. It is safe for concurrent use.
type Token struct {
	// Root is the device, and File the token's file on it; empty for Credential.
	Root disk.Root
	File string
	// Credentials is the directory of the process's credentials, $CREDENTIALS_DIRECTORY,
	// on this host; empty for none.
	Credentials string
}

// Place is the host path of the token's file: ErrNoToken when there is none.
func (t Token) Place() (string, error) {
	switch {
	case t.File != "":
		return t.Root.Resolve(t.File)
	case t.Credentials != "":
		return filepath.Join(t.Credentials, Credential), nil
	}
	return "", ErrNoToken
}

// Read takes the token from its file, which has that one line. A file of File's has to be
// private: see secret.ReadPrivate. That a credential is, is systemd's care. Errors name the file
// and never quote it; besides those of package secret there is ErrNoToken.
func (t Token) Read() (secret.Text, error) {
	host, err := t.Place()
	switch {
	case err != nil:
		return secret.Text{}, err
	case t.File != "":
		return secret.ReadPrivate(host)
	}
	s, err := secret.Read(host)
	if err != nil {
		return s, fmt.Errorf("systemd has handed over no token as %s: %w; set fleet.token_file, or correct LoadCredential= in the daemon's unit", Credential, err)
	}
	return s, nil
}
