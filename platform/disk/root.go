package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
)

// Root is where a device's "/" is on this host: "/" on the device itself, the
// argument of --root elsewhere. Symlinks below it keep the targets they have on
// the device, absolute ones too, and are resolved as the device would: nothing
// ever leads out of the root. The zero Root is "/".
type Root struct{ dir string }

// NewRoot takes an existing directory; "" and "/" mean the device itself.
func NewRoot(dir string) (Root, error) {
	if dir == "" {
		dir = "/"
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Root{}, fmt.Errorf("--root %s: %w", dir, err)
	}
	// Symlinks above the root are the host's, and resolved as such, once.
	resolved, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return Root{}, fmt.Errorf("--root %s: %w", dir, err)
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return Root{}, fmt.Errorf("--root %s: %w", dir, err)
	}
	if !info.IsDir() {
		return Root{}, fmt.Errorf("--root %s: not a directory", dir)
	}
	return Root{dir: resolved}, nil
}

// RootOfProcess is the device as another process sees it, whose mounts may be others
// than this one's. Looking there takes root or CAP_SYS_PTRACE; without it, and when the
// process is gone, each look has an error.
func RootOfProcess(pid int) Root { return Root{dir: fmt.Sprintf("/proc/%d/root", pid)} }

// Dir is the host path of the device's "/".
func (r Root) Dir() string {
	if r.dir == "" {
		return "/"
	}
	return r.dir
}

// Path is the host path of a device path. Symlinks among its parents are
// resolved below the root; the last component is taken as it is, so that a link
// can be read or replaced. Components that do not exist are kept as they are.
func (r Root) Path(device string) (string, error) {
	clean, err := cleanDevice(device)
	if err != nil {
		return "", err
	}
	if clean == "/" {
		return r.Dir(), nil
	}
	parent, err := r.Resolve(filepath.Dir(clean))
	if err != nil {
		return "", err
	}
	return filepath.Join(parent, filepath.Base(clean)), nil
}

// Resolve is Path with the last component followed as well, as opening it on
// the device would.
func (r Root) Resolve(device string) (string, error) {
	clean, err := cleanDevice(device)
	if err != nil {
		return "", err
	}
	host, err := securejoin.SecureJoin(r.Dir(), clean)
	if err != nil {
		return "", fmt.Errorf("resolve %s below %s: %w", device, r.Dir(), err)
	}
	return host, nil
}

// Device is the device path of a host path, the reverse of Resolve. A path
// outside the root comes back unchanged.
func (r Root) Device(host string) string {
	if r.Dir() == "/" {
		return host
	}
	rel, ok := strings.CutPrefix(host, r.Dir())
	switch {
	case !ok || (rel != "" && rel[0] != '/'):
		return host
	case rel == "":
		return "/"
	default:
		return rel
	}
}

func cleanDevice(device string) (string, error) {
	if !filepath.IsAbs(device) || strings.ContainsRune(device, 0) {
		return "", fmt.Errorf("%q is not an absolute path", device)
	}
	return filepath.Clean(device), nil
}
