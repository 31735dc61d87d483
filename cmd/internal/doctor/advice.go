package doctor

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/service"
)

// advice is what to do about a finding: words for a person, commands for sh, or both.
type advice struct{ say, run string }

// say is advice that no command can follow.
func say(format string, args ...any) advice { return advice{say: fmt.Sprintf(format, args...)} }

// run is advice that these commands follow.
func run(format string, args ...any) advice { return advice{run: fmt.Sprintf(format, args...)} }

// then are two pieces of advice of which the second comes when the first has worked.
func (a advice) then(b advice) advice {
	switch {
	case a.run == "" || b.run == "":
		return say("%s; then: %s", a, b)
	case b.say != "" && a.say == "":
		a.say = b.say
	}
	a.run += " && " + b.run
	return a
}

func (a advice) String() string {
	if a.say != "" && a.run != "" {
		return a.say + ": " + a.run
	}
	return a.say + a.run
}

// asRoot is the advice for things that only root may look at.
var asRoot = say("run doctor as root")

// quote makes one word for sh of a path.
func quote(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-@:+,", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// aside moves a file out of the way, under a name that tells why it is there.
func aside(host string) advice { return run("mv -T %s %s", quote(host), quote(host+".aside")) }

// updater is a verb of this program, for this device.
func (c *checkup) updater(verb string) advice {
	command := "tope-updater"
	if c.Root.Dir() != "/" {
		command += " --root " + quote(c.Root.Dir())
	}
	if own, err := c.Root.Resolve(config.Path); c.ConfigFile != "" && (err != nil || c.ConfigFile != own) {
		command += " --config " + quote(c.ConfigFile)
	}
	return run("%s %s", command, verb)
}

// bySystemd reports whether the services are units of this host's systemd, and so is
// the daemon.
func (c *checkup) bySystemd() bool {
	_, ok := c.manager.(service.UnitReader)
	return ok && c.Root.Dir() == "/"
}

// ofAnotherSystem reports whether the device is a tree below --root whose services are
// units: the systemd that would answer is that of this host, and not of the device, and
// so are the ports.
func (c *checkup) ofAnotherSystem() bool {
	_, ok := c.manager.(service.UnitKeeper)
	return ok && c.Root.Dir() != "/"
}

// there is advice about systemd's own files. For another system's tree it is words only:
// run here, the commands would change this host.
func (c *checkup) there(a advice) advice {
	if c.ofAnotherSystem() {
		return say("on the device itself: %s", a)
	}
	return a
}

// restart has the daemon begin anew, which recovers first. Without a daemon the
// recovery is a verb's.
func (c *checkup) restart() advice {
	switch {
	case c.bySystemd():
		return run("systemctl restart %s", daemonUnit)
	case c.daemonAnswers():
		return say("restart the daemon, process %d", c.socket.PID)
	}
	return c.updater("recover --finish")
}

// restartServices are the commands that have services start again.
func (c *checkup) restartServices(units ...string) advice {
	if !c.bySystemd() {
		return say("restart %s", strings.Join(units, " and "))
	}
	return run("systemctl restart %s", strings.Join(units, " "))
}

// withoutDropIn takes a drop-in out of a unit.
func withoutDropIn(file, unit string) advice {
	return aside(file).then(run("systemctl daemon-reload && systemctl restart %s", unit))
}

// base is the last part of a path, for a sentence.
func base(path string) string { return filepath.Base(path) }
