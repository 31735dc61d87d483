//go:build linux && amd64

package device

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/tope/updater/cmd/crashlab/internal/sweep"
	"github.com/tope/updater/journal"
)

// The paths on the device.
const (
	versionsDir = "opt/tope/versions"
	journalFile = "var/lib/tope-updater/journal.db"
	binDir      = "usr/local/bin"
	servicesDir = "opt/tope/services"
	keysDir     = "etc/tope-updater/keys"
	marker      = ".uncommitted"
)

// facts are read from the disk of a device that is off.
type facts struct {
	current, previous, factory string
	marker                     string
	// journal is nil when there is none.
	journal *journal.Fold
}

// since is the newest update that began after the journal's record seq; nil
// when there is none.
func (f facts) since(seq uint64) *journal.Update {
	if f.journal == nil {
		return nil
	}
	for _, u := range []*journal.Update{f.journal.Open, f.journal.Last} {
		if u != nil && u.FirstSeq > seq {
			return u
		}
	}
	return nil
}

// seq is the journal's newest record.
func (f facts) seq() uint64 {
	if f.journal == nil {
		return 0
	}
	return f.journal.Seq
}

// look reads the facts. A fact that cannot be read is a violation: a device must
// be readable once it has recovered.
func (d *Device) look() (f facts, err error) {
	for name, to := range map[string]*string{"current": &f.current, "previous": &f.previous, "factory": &f.factory, marker: &f.marker} {
		if *to, err = d.pointer(name); err != nil {
			return f, err
		}
	}
	path := filepath.Join(d.root, journalFile)
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return f, nil
	}
	r, err := journal.OpenReader(path, journal.Options{})
	if err != nil {
		return f, sweep.Violate("the journal cannot be read: %v", err)
	}
	f.journal = r.State()
	report, err := r.Verify()
	if err != nil {
		return f, sweep.Violate("the journal cannot be verified: %v", err)
	}
	if !report.OK() {
		return f, sweep.Violate("the journal is damaged: %v", report.Problems)
	}
	return f, nil
}

// pointer is the version a link leads to, empty when there is none.
func (d *Device) pointer(name string) (string, error) {
	target, err := os.Readlink(filepath.Join(d.root, versionsDir, name))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", sweep.Violate("%s cannot be read: %v", name, err)
	}
	return strings.TrimPrefix(target, "v"), nil
}

// wholeVersions checks that every directory with a version's name is that release, whole.
func (d *Device) wholeVersions() error {
	entries, err := os.ReadDir(filepath.Join(d.root, versionsDir))
	if errors.Is(err, os.ErrNotExist) && d.flow.Empty {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		version, ok := strings.CutPrefix(e.Name(), "v")
		if !ok || !e.IsDir() {
			continue
		}
		r, err := d.flow.release(version)
		if err == nil {
			err = r.whole(filepath.Join(d.root, versionsDir, e.Name()))
		}
		if err != nil {
			return sweep.Violate("version %s is not whole: %v", version, err)
		}
	}
	return nil
}

// linksOf checks that every entry of a version has its link through current.
func (d *Device) linksOf(version string) error {
	r, err := d.flow.release(version)
	if err != nil {
		return sweep.Violate("current: %v", err)
	}
	for p := range r.files() {
		if p == ownUpdater {
			continue // a link must not lead to it
		}
		at := filepath.Join(d.root, binDir, filepath.Base(p))
		want := "/opt/tope/versions/current/" + p
		if rest, ok := strings.CutPrefix(p, "services/"); ok {
			name, _, _ := strings.Cut(rest, "/")
			at = filepath.Join(d.root, servicesDir, name)
			want = "../versions/current/services/" + name
		}
		if got, err := os.Readlink(at); err != nil || got != want {
			return sweep.Violate("current is %s, but %s leads to %q (%v), not to %s", version, at, got, err, want)
		}
	}
	return nil
}

// committed checks that the committed updater is whole, and the right one. Before
// the commit, it is the one that was there. From the commit on it may be the
// version's own, and once the update is over it must be.
func (d *Device) committed(f facts, over bool) error {
	got, err := os.ReadFile(filepath.Join(d.root, committedUpdater))
	if err != nil {
		return sweep.Violate("the committed updater is gone: %v", err)
	}
	u := f.since(d.base.seq())
	if u == nil || u.State != "Committed" || renewed().Version != u.To {
		if !bytes.Equal(got, proven()) {
			return sweep.Violate("the committed updater is another one (%d bytes), and nothing that carries one is committed", len(got))
		}
		return nil
	}
	if bytes.Equal(got, renewed().updater()) || !over && bytes.Equal(got, proven()) {
		return nil
	}
	return sweep.Violate("the update is committed (over: %v), and the committed updater is not the version's (%d bytes)", over, len(got))
}
