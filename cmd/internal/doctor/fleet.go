package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/engine/fleet"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/identity"
	"github.com/tope/updater/platform/secret"
)

// patience is how long something may wait to be told before somebody should know.
const patience = 24 * time.Hour

// fleet is whether the device can update itself: who it is, its token, its windows, and
// what the daemon's loop says. No server is asked; that is the loop's, and "fleet check".
func (c *checkup) fleet(ctx context.Context) {
	f := c.Config.Fleet
	switch {
	case f.Channel == "" && f.HawkBit == "":
		c.pass("no source is configured: this device asks nobody for releases")
		c.held(c.fold())
		return
	case !f.Asks():
		c.pass("this device asks nobody for releases: [fleet] policy is %q", f.Policy)
		c.held(c.fold())
		return
	}
	var told []string
	if !c.ofAnotherSystem() { // an image has no machine id, and gets one when it is booted
		if _, err := identity.Device(c.Root, f.ID); errors.Is(err, fs.ErrPermission) {
			c.warn(asRoot, "%s", err)
		} else if err != nil {
			told = append(told, err.Error())
			c.fail(say("set fleet.id, or give the device a machine id: systemd-machine-id-setup"), "%s", err)
		}
	}
	told = append(told, c.fleetToken(f)...)
	told = append(told, c.windows(f)...)
	c.veto(f)
	if now := c.Clock.Now(); now.Before(c.Built) {
		c.warn(say("set the clock, or let an NTP client do it (timedatectl set-ntp true)"), "the clock says %s, which is before this program was made: with it no window is known to be open", now.UTC().Format(time.RFC3339))
	}
	c.loop(ctx, told)
}

// fleetToken reads the token as a request would. It returns what is wrong with it, which
// the daemon says as well.
func (c *checkup) fleetToken(f config.Fleet) []string {
	if !f.NeedsToken() {
		return nil
	}
	if f.TokenFile == "" {
		return c.credential()
	}
	token := identity.Token{Root: c.Root, File: f.TokenFile}
	host, err := token.Place()
	if err == nil {
		_, err = token.Read()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		c.warn(asRoot, "fleet.token_file cannot be looked at: %s", err)
	case errors.Is(err, secret.ErrExposed):
		do := run("chown root %s && chmod 600 %s", quote(host), quote(host))
		do.say = "if others may have read it, let the server make another; and then"
		c.fail(do, "the server cannot be asked: %s", err)
	default:
		c.fail(say("write the token that the server has for this device into %s, in one line", f.TokenFile), "the server cannot be asked: fleet.token_file: %s", err)
	}
	return []string{err.Error()}
}

// credential is the token that systemd hands to the daemon. Its directory is there while
// the daemon runs.
func (c *checkup) credential() []string {
	if !c.bySystemd() || !c.daemonAnswers() {
		return nil // the daemon says so when it is asked
	}
	place := filepath.Join("/run/credentials", daemonUnit, identity.Credential)
	if _, err := os.Stat(place); errors.Is(err, fs.ErrNotExist) {
		c.fail(say("set fleet.token_file, or write LoadCredential=%s:FILE into a drop-in of %s", identity.Credential, daemonUnit), "the server cannot be asked: %s", identity.ErrNoToken)
		return []string{identity.ErrNoToken.Error()}
	}
	return nil
}

// veto is whether the command can be started: what counts as busy for want of a program
// puts every offer off.
func (c *checkup) veto(f config.Fleet) {
	if len(f.Veto) == 0 || c.ofAnotherSystem() {
		return
	}
	info, err := os.Stat(f.Veto[0])
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err == nil && (info.IsDir() || info.Mode()&0o111 == 0):
	default:
		return
	}
	c.warn(say("install the program, or correct fleet.veto in %s", c.ConfigFile), "fleet.veto: there is no program %s, and that counts as %q", f.Veto[0], f.VetoFailure)
}

// windows are those in which offers may be installed. It returns what keeps the daemon
// from telling them.
func (c *checkup) windows(f config.Fleet) []string {
	if len(f.Window) == 0 {
		return nil
	}
	zone, err := fleet.Zone(f.TimeZone)
	if err != nil {
		c.fail(say("correct fleet.time_zone in %s, or install the device's time zones (tzdata)", c.ConfigFile), "fleet.time_zone: %s", err)
		return []string{err.Error()}
	}
	var list []fleet.Window
	for _, w := range f.Window {
		list = append(list, fleet.Window{Days: w.Days, From: w.From, To: w.To})
	}
	w, err := fleet.ParseWindows(list, zone)
	if err != nil {
		c.fail(say("correct [[fleet.window]] in %s", c.ConfigFile), "%s", err)
		return []string{err.Error()}
	}
	if shut := longestShut(w, c.Clock.Now()); shut > time.Duration(f.MaxDefer) {
		c.warn(say("raise fleet.max_defer, or let a window open more often"),
			"the windows are shut for up to %s, and fleet.max_defer is %s: then an offer is installed outside of them", human.Duration(shut), human.Duration(time.Duration(f.MaxDefer)))
	}
	return nil
}

// longestShut is the longest time in the week after now in which no window is open.
func longestShut(w fleet.Windows, now time.Time) (longest time.Duration) {
	for t := now; t.Before(now.Add(8 * 24 * time.Hour)); {
		if open, until := w.Open(t); open {
			if until.IsZero() {
				return longest // it never shuts
			}
			t = until
			continue
		}
		opens, ok := w.Next(t)
		if !ok {
			return longest
		}
		longest = max(longest, opens.Sub(t))
		t = opens
	}
	return longest
}

// loop is what the daemon says, or, without one, what the journal knows. What was told
// already is not told again.
func (c *checkup) loop(ctx context.Context, told []string) {
	known := func(text string) bool {
		return slices.ContainsFunc(told, func(one string) bool { return strings.Contains(text, one) })
	}
	switch {
	case c.otherDaemon != 0:
		c.pass("not asked: the daemon runs with another configuration")
		return
	case !c.daemonAnswers():
		c.held(c.fold())
		if f := c.fold(); f != nil {
			c.untold(f.Outbox, "no daemon runs")
		}
		if c.ofAnotherSystem() {
			c.pass("not asked: this is the tree of another system")
			return
		}
		do := say("start it: %s", c.updater("serve"))
		if c.bySystemd() {
			do = run("systemctl restart %s", daemonUnit)
		}
		c.warn(do, "no daemon runs, so that nobody asks for releases")
		return
	}
	api := client.Socket(c.socketPath)
	defer api.Close()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	s, err := api.Fleet(ctx)
	again := c.updater("fleet check")
	switch {
	case err != nil:
		c.warn(c.restart(), "the daemon does not tell of it: %s", err)
		return
	case s.Source == "":
		c.warn(c.updater("reload"), "the daemon asks nobody for releases: it runs with a configuration from before")
		return
	case s.Failure != "" && !known(s.Failure):
		again.say = "correct what it names, here or at the server, and ask again"
		c.warn(again, "%s could not be asked%s: %s", s.Source, c.silent(s), s.Failure)
	}
	c.signedUntil(s.Details)
	if s.Alarm != "" && !known(s.Alarm) {
		look := c.updater("fleet status")
		look.say = "look at it"
		c.warn(look, "%s", s.Alarm)
	}
	c.untold(s.Outbox, s.Untold)
	c.heldNow(s.Held)
	switch {
	case s.Failure != "" || s.Alarm != "":
	case s.Wait != nil && s.Wait.Reason == string(fleet.Failed):
		why := c.updater("journal show")
		why.say = "see why"
		c.warn(why, "%s: %s", s.Source, s.Text)
	default:
		c.pass("%s: %s", s.Source, s.Text)
	}
}

// signedUntil is about a channel that has to be signed again soon: when three quarters of
// its time are over. One whose time is over is an alarm.
func (c *checkup) signedUntil(details []string) {
	var at [2]time.Time
	for _, line := range details {
		for i, name := range []string{"issued ", "expires "} {
			if text, ok := strings.CutPrefix(line, name); ok {
				at[i], _ = time.Parse(time.RFC3339, text) // zero for another source's words
			}
		}
	}
	now := c.Clock.Now()
	if at[0].IsZero() || now.After(at[1]) || at[1].Sub(now) > at[1].Sub(at[0])/4 {
		return
	}
	c.warn(say("its publisher has to sign it again: tope-bundle channel sign"), "the channel is signed until %s, which is in %s", at[1].UTC().Format(time.DateTime), human.Duration(at[1].Sub(now)))
}

// silent says since when a source has not answered.
func (c *checkup) silent(s fleet.Status) string {
	if s.Heard.IsZero() {
		return " since the daemon was started"
	}
	return " since " + s.Heard.UTC().Format(time.DateTime)
}

// untold is about notices that the source has not taken for long.
func (c *checkup) untold(all []journal.Notice, why string) {
	n := 0
	var oldest time.Time
	for _, one := range all {
		if one.Origin == nil || c.Clock.Now().Sub(one.Time) < patience {
			continue
		}
		if n == 0 {
			oldest = one.Time
		}
		n++
	}
	if n == 0 {
		return
	}
	if why == "" {
		why = "nobody says why"
	}
	c.warn(c.updater("fleet check"), "the source has not been told %d things, the oldest of %s: %s", n, oldest.UTC().Format(time.DateTime), why)
}

// held is about a hold that the journal tells of.
func (c *checkup) held(f *journal.Fold) {
	if f != nil {
		c.heldNow(f.Held)
	}
}

// heldNow is about a hold that nobody has set an end.
func (c *checkup) heldNow(h *journal.Held) {
	if h == nil || !h.Until.IsZero() {
		return
	}
	do := c.updater("fleet release")
	do.say = "when that is over"
	c.warn(do, "offers are held back since %s, until somebody releases them: %s", h.Time.UTC().Format(time.DateTime), h.Why)
}
