package engine_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

func (n *narrator) offer(w []string) {
	n.d.Bundle = enginetest.Bundle{Version: w[0], Digest: "md5:" + w[0]}
	if n.d.Epochs == nil {
		n.d.Epochs = map[string]int64{}
	}
	for _, opt := range w[1:] {
		name, value, _ := strings.Cut(opt, "=")
		number, _ := strconv.Atoi(value)
		switch name {
		case "broken":
			n.d.Bundle.Broken = true
		case "parts":
			n.d.Bundle.Parts = number
		case "epoch":
			n.d.Epochs[w[0]] = int64(number)
		case "updater":
			n.d.Programs.Copy = "old"
			n.d.Programs.Carried = map[string]string{w[0]: value}
		case "unfit":
			n.d.Programs.Unfit = map[string]bool{n.d.Programs.Carried[w[0]]: true}
		case "dies":
			n.d.Programs.Dying = map[string]bool{n.d.Programs.Carried[w[0]]: true}
		default:
			require.Fail(n.t, "no such option", opt)
		}
	}
}

func (n *narrator) holds(w []string) {
	n.hold, n.let, n.waits = engine.State(w[0]), make(chan struct{}), make(chan struct{})
}

func (n *narrator) release([]string) {
	n.hold = ""
	close(n.let) // from here on steps run that look at hold
	if n.life != nil {
		n.settle(nil)
	}
}

func (n *narrator) health(w []string) { n.d.Sick[w[0]] = w[1] == "bad" }

// needs says how long a version takes to become healthy.
func (n *narrator) needs(w []string) {
	d, err := time.ParseDuration(w[1])
	require.NoError(n.t, err)
	n.d.Needs[w[0]] = d
}

// finds is what the preflight finds out about a version.
func (n *narrator) finds(w []string) {
	if w[1] == "nothing" {
		delete(n.d.Unfit, w[0])
		return
	}
	n.d.Unfit[w[0]] = append(n.d.Unfit[w[0]], steps.Finding{Fatal: w[1] == "fatal", Code: steps.ServiceFailed, Text: strings.Join(w[2:], " ")})
}

func (n *narrator) services(w []string) { n.d.Dead[w[1]] = w[2] == "fail" }

func (n *narrator) fails(w []string) {
	times, err := strconv.Atoi(w[1])
	require.NoError(n.t, err)
	n.fail[steps.Name(w[0])] = &failing{n: new(atomic.Int32), times: int32(times), err: &steps.Error{Class: steps.Class(w[2]), Code: steps.IOError, Err: errors.New(strings.Join(w[3:], " "))}}
}

func (n *narrator) install(w []string) {
	if n.d.Bundle.Version != w[0] {
		n.offer(w[:1])
	}
	req := engine.InstallRequest{Source: steps.Source{URL: source.New("http://server/bundle")}, Hold: slices.Contains(w, "held"), Retry: slices.Contains(w, "retry"), Force: slices.Contains(w, "force"), Check: slices.Contains(w, "check")}
	n.ask(func(ctx context.Context, e *engine.Engine) (string, error) { return e.Install(ctx, req) })
}

func (n *narrator) proceed(w []string) {
	n.ask(func(ctx context.Context, e *engine.Engine) (string, error) { return e.Proceed(ctx, w[0]) })
}

func (n *narrator) cancel([]string) {
	n.ask(func(ctx context.Context, e *engine.Engine) (string, error) { return e.Cancel(ctx) })
}

func (n *narrator) rollback(w []string) {
	to := ""
	if len(w) > 0 && w[0] != "force" {
		to = w[0]
	}
	n.ask(func(ctx context.Context, e *engine.Engine) (string, error) {
		return e.Rollback(ctx, to, engine.Turning{Force: slices.Contains(w, "force")})
	})
}

func (n *narrator) factory([]string) {
	n.ask(func(ctx context.Context, e *engine.Engine) (string, error) {
		return e.RestoreFactory(ctx, engine.Turning{})
	})
}

// cut arms the power: it goes before or after an effect, in the present life or
// in the next one.
func (n *narrator) cut(w []string) {
	n.power(enginetest.Cut{N: 1, At: strings.Join(w[1:], " "), After: w[0] == "after"})
}

// reboot: the oneshot, the init system, and a daemon. If the power is on, it
// goes off first.
func (n *narrator) reboot(w []string) {
	n.d.Fail()
	n.end()
	n.life = nil
	cut := enginetest.Cut{}
	if len(w) > 2 { // reboot, cut before …
		cut = enginetest.Cut{N: 1, At: strings.Join(w[3:], " "), After: w[2] == "after"}
	}
	n.d.Reboot()
	n.power(cut)
	n.recover(nil)
	if n.d.Off() {
		return
	}
	n.d.InitStarts()
	n.say("  services start from %s; the daemon:", orNone(n.d.Running))
	n.start()
}

// recover is the oneshot; a person can run it once more in the same boot.
func (n *narrator) recover([]string) {
	n.die()
	n.say("  recover:")
	err := n.d.Oneshot()
	n.tell()
	require.True(n.t, err == nil || n.d.Off(), "recover: %v", err)
}

// restart is an operator's: the daemon ends in order.
func (n *narrator) restart([]string) {
	n.stop()
	n.start()
}

// kill ends the daemon where it stands; systemd starts another one.
func (n *narrator) kill([]string) {
	n.die()
	n.start()
}

// point is an operator who sets a pointer.
func (n *narrator) point(w []string) {
	n.die()
	n.d.States[w[1]] = versions.Complete
	*map[string]*string{versions.Current: &n.d.P.Current, versions.Previous: &n.d.P.Previous, versions.Factory: &n.d.P.Factory}[w[0]] = w[1]
}

// rename puts the marker over current, as a person with a shell rescues a device.
func (n *narrator) rename([]string) {
	n.die()
	n.d.P.Current, n.d.Marked, n.d.MarkAt = n.d.MarkAt, false, ""
}

func (n *narrator) damage(w []string) { n.die(); n.d.States[w[0]] = versions.Damaged }

// without factory makes a device without a factory version, as some are
// delivered; without anything makes one that does not have a version yet.
func (n *narrator) without(w []string) {
	n.d.P.Factory = ""
	if w[0] == "anything" {
		n.d.P, n.d.Running = versions.Pointers{}, ""
		clear(n.d.States)
	}
}

func (n *narrator) lose([]string) { n.die(); n.d.J.Forget() }

// wait lets time pass between two looks of the loop at its clock: a loop that has yet to
// set the timer of a held update would see that it is over before any request comes.
func (n *narrator) wait(w []string) {
	if u := n.d.J.State().Open; n.life != nil && u != nil && u.State == engine.Ready {
		require.Eventually(n.t, func() bool { return n.d.Clock.Endless() > n.timers }, time.Minute, time.Millisecond, "no timer is set")
	}
	by, err := time.ParseDuration(w[0])
	require.NoError(n.t, err)
	n.d.Clock.Pass(by)
}

func (n *narrator) clock(w []string) {
	by, err := time.ParseDuration(w[0])
	require.NoError(n.t, err)
	n.d.Clock.Jump(by)
}
