package main

import (
	"fmt"
	"strings"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/steps"
)

// denied tells, a line each, what this process's sandbox keeps it from, though the
// configuration needs it: nothing in a process that systemd does not watch. It remembers
// nothing, and looks each time.
func (d *device) denied() (all []string) {
	box, boxed := look.OwnSandbox()
	if !boxed || !isWatched() { // a container is not the sandbox of a unit
		return nil
	}
	for _, p := range d.cfg.Places() {
		host, err := d.root.Path(p.Path)
		if err != nil {
			continue
		}
		if kind := box.Denies(host, p.Write); kind != look.None {
			all = append(all, p.Denied(kind)+"; "+steps.SandboxHint)
		}
	}
	if port, key := d.cfg.LowPort(); port != 0 && !look.MayListen(port) {
		all = append(all, fmt.Sprintf("the daemon may not listen on port %d (%s); %s", port, key, steps.SandboxHint))
	}
	return all
}

// deniedToDaemon is denied in a daemon that systemd runs; verbs have no sandbox.
func (p *parts) deniedToDaemon() func() []string {
	if !p.watched {
		return nil
	}
	return p.denied
}

// tellDenied logs what is denied.
func (d *device) tellDenied() {
	for _, line := range d.denied() {
		d.log.Warn(line, "event", engine.EventDenied)
	}
}

// unlessDenied adds to an error, with which the daemon cannot work, what its sandbox
// denies: that is the likely cause.
func (d *device) unlessDenied(err error) error {
	all := d.denied()
	if err == nil || len(all) == 0 {
		return err
	}
	more := ""
	if len(all) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(all)-1)
	}
	what, hint, _ := strings.Cut(all[0], "; ")
	return fmt.Errorf("%w; %s%s; %s", err, what, more, hint)
}
