package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"github.com/tope/updater/cmd/internal/config"
)

// workingDirectory looks for a unit that makes its program work inside a
// version, where it will try to write.
func (c *checkup) workingDirectory(s config.Service) {
	path := ""
	for _, file := range c.unitFiles(s.Unit) {
		f, err := os.Open(file)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if set, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "WorkingDirectory="); ok {
				path = strings.TrimPrefix(strings.TrimSpace(set), "-") // the last one counts
			}
		}
		_ = f.Close() // it was only read
	}
	if path != "" && c.insideVersion(path) {
		c.warn("set it to a directory below "+c.cfg.Paths.Shared+", or list what it writes in [paths] writable", "%s: %s says WorkingDirectory=%s, inside a version, which no program may write to", s.Name, s.Unit, path)
	}
}

// unitFiles are the host paths of a unit's file and of its drop-ins, in the
// order in which systemd reads them.
func (c *checkup) unitFiles(unit string) []string {
	var files []string
	for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"} {
		host, err := c.root.Resolve(filepath.Join(dir, unit))
		if err != nil {
			continue
		}
		if _, err := os.Stat(host); err == nil {
			files = append(files, host)
			break // the first directory that has the unit counts
		}
	}
	return append(files, c.dropIns("systemd/system/"+unit+".d")...)
}

func (c *checkup) insideVersion(device string) bool {
	host, err := c.root.Resolve(device)
	return err == nil && c.store != nil && strings.HasPrefix(host, c.store.Dir()+"/")
}
