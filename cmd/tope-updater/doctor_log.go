package main

import (
	"bufio"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tope/updater/cmd/internal/config"
)

// retention: what the updater and the services printed should outlive a boot, and not
// fill the disk. The updater's own account of itself is its journal.
func (c *checkup) retention(context.Context) {
	if c.cfg.Services.Manager != config.Systemd {
		c.pass("not looked at: it is not systemd's")
		return
	}
	set := c.journald()
	storage := set["Storage"]
	persistent, err := c.root.Resolve("/var/log/journal")
	if err == nil {
		_, err = os.Stat(persistent)
	}
	switch {
	case storage == "none":
		c.warn("remove Storage=none from journald.conf", "systemd keeps no log")
	case storage == "volatile" || storage != "persistent" && err != nil:
		c.warn("mkdir -p /var/log/journal && systemctl restart systemd-journald", "the log does not outlive a boot; the updater's journal does, the services' messages do not")
	case set["SystemMaxUse"] == "":
		c.warn("set SystemMaxUse=100M, or what this device can spare, in /etc/systemd/journald.conf.d/size.conf", "the log may take a tenth of its file system, up to 4 GB")
	default:
		c.pass("it outlives a boot, and takes at most %s", set["SystemMaxUse"])
	}
}

// journald is what the operator has set; later files, and drop-ins after the
// main file, win. See journald.conf(5).
func (c *checkup) journald() map[string]string {
	set := map[string]string{}
	var files []string
	if host, err := c.root.Resolve("/etc/systemd/journald.conf"); err == nil {
		files = append(files, host)
	}
	files = append(files, c.dropIns("systemd/journald.conf.d")...)
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "="); ok && !strings.HasPrefix(key, "#") && !strings.HasPrefix(key, ";") {
				set[strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		}
		_ = f.Close() // it was only read
	}
	return set
}

// dropIns are the host paths of a systemd directory's drop-ins, in the order in
// which they are read: by name, wherever they are; /etc hides /run, which hides
// /usr.
func (c *checkup) dropIns(dir string) []string {
	byName := map[string]string{}
	for _, top := range []string{"/usr/lib", "/usr/local/lib", "/run", "/etc"} {
		host, err := c.root.Resolve(filepath.Join(top, dir))
		if err != nil {
			continue
		}
		found, _ := filepath.Glob(host + "/*.conf") // the pattern is good
		for _, f := range found {
			byName[filepath.Base(f)] = f
		}
	}
	var files []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		files = append(files, byName[name])
	}
	return files
}
