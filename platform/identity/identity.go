// Package identity tells a fleet which of its devices this one is, and proves it.
//
// Device is the id by which a server knows this device and a channel puts it in its place
// of each rollout. It stays the same for all of the device's life. It does not give away
// the device's machine id, of which machine-id(5) says that it is confidential.
//
// Token is the proof, for servers that want one: from a file or from systemd. It is read
// each time that it is needed, so that a renewed one is in force with the next request.
package identity

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/platform/secret"
)

const (
	// machineID is the file of the machine id on the device, which has 32 hex digits.
	machineID = "/etc/machine-id"
	// purpose makes this use of the machine id another id than all other uses.
	purpose = "tope-fleet"
	// idBytes of the HMAC are the id: 32 hex digits.
	idBytes = 16
	// maxID bounds an id, in bytes.
	maxID = 128
	// maxFile bounds the file of the machine id, in bytes.
	maxFile = 4 << 10
)

// ErrUnknown means that nothing tells which device this is.
var ErrUnknown = errors.New("cannot tell which device this is")

// Device is this device's id for a fleet: id when that is not empty, which has to be a
// ValidID, or else the first 32 hex digits of HMAC-SHA-256 over "tope-fleet" with the
// machine id's 16 bytes as the key. Without a machine id it is ErrUnknown.
func Device(root disk.Root, id string) (string, error) {
	if id != "" {
		return id, ValidID(id)
	}
	host, err := root.Resolve(machineID)
	if err != nil {
		return "", unknown(err.Error())
	}
	text, err := secret.ReadFile(host, maxFile)
	text = bytes.TrimSpace(text)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", unknown(machineID + " is missing")
	case err != nil:
		return "", unknown(err.Error())
	case len(text) == 0:
		return "", unknown(machineID + " is empty")
	}
	key, err := hex.DecodeString(string(text))
	// "uninitialized" is the word of an image that has not been booted.
	if err != nil || len(key) != idBytes || bytes.Equal(key, make([]byte, idBytes)) {
		return "", unknown(machineID + " has no machine id of 32 hex digits")
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose)) // a hash takes everything
	return hex.EncodeToString(mac.Sum(nil)[:idBytes]), nil
}

func unknown(why string) error { return fmt.Errorf("%w: %s; set fleet.id", ErrUnknown, why) }

// ValidID returns what is wrong with an id. Servers have it in the paths of their URLs.
func ValidID(id string) error {
	if id == "" || len(id) > maxID || strings.Trim(id, ".") == "" || strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._:@-", r)
	}) {
		return fmt.Errorf("%.80q is not 1 to %d letters, digits and the marks . _ : @ -, with something else than dots", id, maxID)
	}
	return nil
}
