package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/enginetest"
	"github.com/tope/updater/steps"
)

// narrator plays a transcript's commands on a device and tells the results.
// testdata/README.md lists the commands.
type narrator struct {
	t    *testing.T
	d    *enginetest.Device
	life *enginetest.Life // nil while no daemon runs
	told int              // so many of the power's effects
	out  []string
	ids  []string // updates, in the order in which they were met
	// hold is the state whose step does not end before let is closed.
	hold  engine.State
	let   chan struct{}
	waits chan struct{} // the step that is held says so
	fail  map[steps.Name]*failing
	// timers is how many endless timers had been set before the last request.
	timers int
}

func newNarrator(t *testing.T) *narrator {
	d := enginetest.NewDevice()
	d.On(enginetest.Cut{})
	return &narrator{t: t, d: d, fail: map[steps.Name]*failing{}}
}

// play runs one scene: its commands, with the result of each. A scene that
// begins with "quiet" tells only the unusual, and where the device stands.
func (n *narrator) play(commands []string) string {
	n.out = nil
	quiet := commands[0] == "quiet"
	if quiet {
		commands = commands[1:]
	}
	for _, c := range commands {
		if len(n.out) > 0 {
			n.out = append(n.out, "> "+c)
		}
		words := strings.Fields(c)
		do, ok := n.commands()[words[0]]
		require.True(n.t, ok, "no command %q: %s", words[0], c)
		do(words[1:])
	}
	if quiet {
		n.out = slices.DeleteFunc(n.out, func(line string) bool {
			return !strings.HasPrefix(line, "  ***") && !strings.HasPrefix(line, "  refused")
		})
	}
	n.out = append(n.out, stands(n.d))
	return n.named(strings.Join(n.out, "\n") + "\n")
}

// named calls updates u1, u2 …, in the order in which they were accepted.
func (n *narrator) named(text string) string {
	for i, id := range slices.Backward(n.ids) { // an earlier one may begin a later one
		text = strings.ReplaceAll(text, id, fmt.Sprintf("u%d", i+1))
	}
	return text
}

func (n *narrator) commands() map[string]func(words []string) {
	return map[string]func([]string){
		"offer": n.offer, "health": n.health, "needs": n.needs, "finds": n.finds, "services": n.services, "fails": n.fails,
		"install": n.install, "proceed": n.proceed, "cancel": n.cancel, "rollback": n.rollback, "factory": n.factory,
		"hold": n.holds, "release": n.release,
		"cut": n.cut, "reboot": n.reboot, "restart": n.restart, "kill": n.kill, "recover": n.recover,
		"lose": n.lose, "point": n.point, "rename": n.rename, "damage": n.damage, "without": n.without,
		"wait": n.wait, "clock": n.clock,
	}
}

func (n *narrator) say(format string, args ...any) {
	n.out = append(n.out, fmt.Sprintf(format, args...))
}

// tell adds the effects since its last call.
func (n *narrator) tell() {
	all := n.d.Effects()
	for _, e := range all[n.told:] {
		n.out = append(n.out, told(e)...)
		for _, r := range e.Records {
			if r.Accept != nil {
				n.ids = append(n.ids, r.Update)
			}
		}
	}
	n.told = len(all)
}

// power turns the power on. It goes again at cut.
func (n *narrator) power(cut enginetest.Cut) {
	n.tell()
	n.d.On(cut)
	n.told = 0
}

// scripted is a step that does as the transcript says.
type scripted struct {
	steps.Step
	n    *narrator
	name steps.Name
}

func (s scripted) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	if s.n.hold != "" && engine.StepOf(s.n.hold) == s.name {
		if err := s.n.stay(ctx); err != nil {
			return steps.Outcome{}, err
		}
	}
	if f := s.n.fail[s.name]; f != nil {
		f.Step = s.Step
		return f.Do(ctx, t)
	}
	return s.Step.Do(ctx, t)
}

// stay holds a step until it is let go, and reports that the step is held.
func (n *narrator) stay(ctx context.Context) error {
	for {
		select {
		case n.waits <- struct{}{}:
		case <-n.let:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// start starts the daemon, and the programs that take over from it, until there
// is nothing to do.
func (n *narrator) start() {
	n.d.Programs.Process = n.d.Programs.Copy
	n.begin()
}

func (n *narrator) begin() {
	n.timers = n.d.Clock.Endless()
	l, err := n.d.Start(func(c *engine.Config) {
		for name, step := range c.Steps {
			c.Steps[name] = scripted{step, n, name}
		}
	})
	if err != nil {
		n.ended(err)
		return
	}
	n.life = l
	n.settle(nil)
}

// stop ends the daemon in order, if one runs.
func (n *narrator) stop() {
	if n.life != nil {
		require.NoError(n.t, n.life.Stop())
		n.life = nil
	}
	n.tell()
}

// die ends the daemon, if one runs, without a last word.
func (n *narrator) die() {
	if n.life != nil {
		n.life.Kill()
		n.life = nil
		n.power(enginetest.Cut{})
	}
	n.tell()
}

func (n *narrator) end() {
	if n.life != nil {
		_ = n.life.Stop()
	}
}

// ask makes a request of the daemon, and waits until there is nothing to do.
func (n *narrator) ask(req enginetest.Request) {
	if n.life == nil {
		n.start()
	}
	if n.life == nil {
		return
	}
	n.timers = n.d.Clock.Endless()
	n.settle(n.life.Ask(req))
}

// settle waits until the daemon rests: no update is open, a step is held, or
// the daemon has ended.
func (n *narrator) settle(err error) {
	refused := err
	over := new(engine.TakeOver)
	if err == nil || !n.d.Off() && !errors.As(err, &over) {
		held, ready := false, false
		err = n.life.Watch(func(s engine.Status) bool {
			u := n.d.J.State().Open
			// A check goes through Ready without a stop, though its record says Hold for
			// older programs.
			held, ready = s.State == n.hold, u != nil && u.Hold && !u.Check && u.State == engine.Ready && s.State == engine.Ready
			return held || ready || s.Update == nil
		})
		switch {
		case err != nil || ready:
		case held:
			err = n.life.Wait(n.waits)
		default:
			err = n.life.Rest()
		}
		if err == nil {
			n.tell()
			if refused != nil {
				n.say("  refused: %v", refused)
			}
			return
		}
	}
	n.ended(err)
}

// ended handles the end of a daemon: another program goes on, or none.
func (n *narrator) ended(err error) {
	if n.life != nil {
		_ = n.life.Stop()
		n.life = nil
	}
	n.tell()
	var over *engine.TakeOver
	switch {
	case n.d.Off():
	case errors.As(err, &over):
		n.say("  the daemon is replaced by the updater %s", over.Path)
		n.d.Programs.Becomes(over)
		if n.d.Programs.Process != over.Path {
			n.say("  it dies; the updater %s starts", n.d.Programs.Process)
		}
		n.begin()
	default:
		n.say("  the daemon ends: %v", err)
	}
}
