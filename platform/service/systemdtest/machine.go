package systemdtest

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tope/updater/platform/roottest"
)

// bootTimeout is generous: many tests may boot machines on few processors.
const bootTimeout = 60 * time.Second

// Machine is one Debian with systemd. Its methods fail the test when they
// cannot do what they say. They are for one goroutine, except Run, Dial and Wait.
type Machine struct {
	t    testing.TB
	name string
	dir  string // of the overlay, in memory
	// owned holds the lock that says that somebody still needs dir.
	owned *os.File
	hold  *holder
	cg    *cgroup

	mu     sync.Mutex
	boots  int           // how often it has been booted, reboots included
	leader int           // its PID 1, on the host; 0 while it does not run
	over   chan struct{} // closed when the machine is off
	cut    bool          // no reboot: its power is off
	end    string        // what nspawn said last
}

// Options are the differences of a machine from the usual one.
type Options struct {
	// Suite is the suite of Debian that the machine runs, Usual if empty.
	Suite string
	// Packages are in its tree in addition to the usual ones; name few, each list is
	// a tree of its own in the cache.
	Packages []string
	// Image is the tree of a system that the machine runs in place of these; it must
	// have a systemd, and not be changed.
	Image string
	// OnDisk puts its disk on a disk of the host, not in memory: for tests that count
	// memory.
	OnDisk bool
}

// New makes a machine that is switched off, of the usual suite, with more packages.
func New(t testing.TB, more ...string) *Machine {
	t.Helper()
	return With(t, Options{Packages: more})
}

// With makes a machine that is switched off.
func With(t testing.TB, o Options) *Machine {
	t.Helper()
	roottest.Need(t, "a machine with a systemd of its own")
	lower := o.Image
	if lower == "" {
		lower = Tree(t, o.Suite, o.Packages...)
	}
	// The overlay's upper layer is in memory where it can be: a sync in the
	// machine should not wait for the host's disk.
	where := memory()
	if o.OnDisk {
		where = onDisk
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // it never fails
	m := &Machine{t: t, name: prefix + hex.EncodeToString(id[:4])}
	var err error
	prune.Do(func() {
		sweep(memory())
		sweep(onDisk)
	})
	if m.dir, m.owned, err = claim(where, m.name); err != nil {
		t.Fatalf("cannot make a directory for the machine: %v", err)
	}
	t.Cleanup(m.remove)
	if m.cg, err = newCgroup(m.name); err != nil {
		t.Fatalf("cannot make a cgroup: %v", err)
	}
	if m.hold, err = hold(lower, m.dir); err != nil {
		t.Fatalf("cannot mount the machine's root: %v", err)
	}
	roomForWatches()
	m.Write("/etc/machine-id", hex.EncodeToString(id)+"\n", 0o444)
	m.Write("/etc/hostname", m.name+"\n", 0o644)
	m.Write("/etc/hosts", "127.0.0.1 localhost "+m.name+"\n", 0o644)
	return m
}

// onDisk is a directory for temporary files on a disk, whatever TMPDIR says.
const onDisk = "/var/tmp"

// memory is a directory in memory for temporary files, where there is one.
func memory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return os.TempDir()
}

// roomForWatches raises the host's limit of inotify instances per user: root in
// the machines counts as root of the host, and each systemd takes a dozen.
func roomForWatches() {
	const path, enough = "/proc/sys/fs/inotify/max_user_instances", "1024"
	if now, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(now))) < len(enough) {
		_ = os.WriteFile(path, []byte(enough), 0o644) // without it fewer machines fit
	}
}

// remove ends everything and leaves nothing.
func (m *Machine) remove() {
	m.Kill()
	if m.t.Failed() {
		m.t.Logf("the end of the journal of %s:\n%s", m.name, tail(m.Journal(), 30000))
	}
	if m.hold != nil {
		m.hold.release()
	}
	if m.cg != nil {
		m.cg.remove()
	}
	if err := os.RemoveAll(m.dir); err != nil {
		m.t.Logf("cannot remove %s: %v", m.dir, err)
	}
	_ = m.owned.Close() // it is only a lock
}

// Name is the machine's host name.
func (m *Machine) Name() string { return m.name }

// Path is where the host finds a file of the machine: the whole root while it
// runs, its disk (no /run, no /tmp) while it is off. Absolute symlinks on the
// way lead to the host's files: name their targets instead.
func (m *Machine) Path(path string) string {
	m.t.Helper()
	if pid := m.Leader(); pid != 0 {
		return filepath.Join("/proc", itoa(pid), "root", path)
	}
	return filepath.Join(m.hold.root, path)
}

// Disk is Path for the machine's disk, whether it runs or not.
func (m *Machine) Disk(path string) string { return filepath.Join(m.hold.root, path) }

// Write puts a file into the machine, with the directories above it.
func (m *Machine) Write(path, content string, mode os.FileMode) {
	m.t.Helper()
	host := m.Path(path)
	if err := os.MkdirAll(filepath.Dir(host), 0o755); err != nil {
		m.t.Fatalf("cannot put %s into the machine: %v", path, err)
	}
	if err := os.WriteFile(host, []byte(content), mode); err != nil {
		m.t.Fatalf("cannot put %s into the machine: %v", path, err)
	}
	if err := os.Chmod(host, mode); err != nil { // whatever the umask
		m.t.Fatalf("cannot put %s into the machine: %v", path, err)
	}
}

// Put copies a file of the host into the machine.
func (m *Machine) Put(host, path string, mode os.FileMode) {
	m.t.Helper()
	data, err := os.ReadFile(host)
	if err != nil {
		m.t.Fatalf("cannot put %s into the machine: %v", path, err)
	}
	m.Write(path, string(data), mode)
}

// Read returns a file of the machine.
func (m *Machine) Read(path string) string {
	m.t.Helper()
	data, err := os.ReadFile(m.Path(path))
	if err != nil {
		m.t.Fatalf("cannot read %s of the machine: %v", path, err)
	}
	return string(data)
}

// Symlink makes a symbolic link in the machine.
func (m *Machine) Symlink(target, path string) {
	m.t.Helper()
	host := m.Path(path)
	if err := os.MkdirAll(filepath.Dir(host), 0o755); err != nil {
		m.t.Fatalf("cannot link %s in the machine: %v", path, err)
	}
	if err := os.Symlink(target, host); err != nil {
		m.t.Fatalf("cannot link %s in the machine: %v", path, err)
	}
}
