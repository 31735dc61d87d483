package systemdtest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// Usual is the suite of machines that ask for none.
	Usual = "bookworm"
	// mirrorVariable names a mirror to use in place of debootstrap's own. With
	// "_SUITE" at its end it is that suite's: TOPE_DEBIAN_MIRROR_bullseye.
	mirrorVariable = "TOPE_DEBIAN_MIRROR"
	// recipe is part of the tree's name: raise it when finish changes.
	recipe = "3"
)

// packages of every tree, besides those that debootstrap's minbase has.
func packages() []string {
	return []string{"systemd", "systemd-sysv", "dbus", "curl", "procps"}
}

// needless units do nothing for a test but take time at each boot.
func needless() []string {
	return []string{
		"console-getty.service", "getty@.service", "getty.target", "getty-static.service", "systemd-tmpfiles-clean.timer",
		"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
		"fstrim.timer", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "systemd-timesyncd.service",
		"systemd-hwdb-update.service", "systemd-firstboot.service", "ldconfig.service", "systemd-resolved.service",
		"systemd-machine-id-commit.service", "remote-fs.target",
	}
}

// Tree returns the directory of a Debian tree of a suite, Usual if empty, with these
// packages in it. The first call makes the tree, which takes a minute and a network.
// The tree must not be changed; it is shared by all tests, also of other packages.
func Tree(t testing.TB, suite string, more ...string) string {
	t.Helper()
	list := append(packages(), more...)
	slices.Sort(list)
	dir, err := tree(cmp.Or(suite, Usual), slices.Compact(list))
	if err != nil {
		t.Fatalf("cannot make a Debian tree: %v", err)
	}
	return dir
}

func tree(suite string, list []string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "tope-updater")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	key := sha256.Sum256([]byte(recipe + " " + strings.Join(list, " ") + " " + strings.Join(needless(), " ")))
	dir := filepath.Join(cache, suite+"-"+runtime.GOARCH+"-"+hex.EncodeToString(key[:4]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	// One caller makes the tree, the others wait.
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	part := dir + ".part" // of a maker that was killed, if it is there
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := errors.Join(bootstrap(suite, part, list), finish(part)); err != nil {
		return "", err
	}
	return dir, os.Rename(part, dir)
}

func bootstrap(suite, dir string, list []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	args := []string{"--variant=minbase", "--include=" + strings.Join(list, ","), suite, dir}
	if mirror := cmp.Or(os.Getenv(mirrorVariable+"_"+suite), os.Getenv(mirrorVariable)); mirror != "" {
		args = append(args, mirror)
	}
	cmd := exec.CommandContext(ctx, "debootstrap", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, tail(string(out), 2000))
	}
	return nil
}

// finish makes the tree small and quick to boot, and adds the user that the
// services run as.
func finish(dir string) error {
	for _, dirt := range []string{"var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "etc/machine-id", "etc/hostname"} {
		if err := os.RemoveAll(filepath.Join(dir, dirt)); err != nil {
			return err
		}
	}
	for _, unit := range needless() {
		if err := os.Symlink("/dev/null", filepath.Join(dir, "etc/systemd/system", unit)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	// Logs survive cuts, so that they can be read afterwards.
	if err := os.MkdirAll(filepath.Join(dir, "var/log/journal"), 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "var/cache/apt/archives/partial"), 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "var/lib/apt/lists/partial"), 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "chroot", dir, "useradd", "--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin", "tope").CombinedOutput()
	if err != nil {
		return fmt.Errorf("useradd: %w\n%s", err, out)
	}
	return nil
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}
