package healthcheck_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/steps"
)

// told is how the gate tells of a version that is not healthy.
func (b *bench) told(t *testing.T) (line, details string) {
	t.Helper()
	_, err := b.gate.Do(t.Context(), b.task)
	var e *steps.Error
	require.True(t, errors.As(err, &e))
	return e.Tell()
}

// The account of a gate that failed: a short line, and details with every check,
// the exit status in words and the service's own last words.
func TestTheGateTellsWhy(t *testing.T) {
	b := newBench(t,
		health.Check{Service: "device-api", Kind: health.TCP, Address: "127.0.0.1:1", Timeout: clock.Duration(time.Second)},
		health.Check{Service: "device-api", Kind: health.Active},
		health.Check{Service: "device-api", Kind: health.Command, Timeout: clock.Duration(time.Second), Command: []string{"/bin/sh", "-c", "echo nozzle; echo cold; exit 3"}},
	)
	b.manager.Print("device-api", "of the version before")
	b.clock.Advance(time.Second)
	b.task.Since.Mono = b.clock.Monotonic()
	b.manager.Print("device-api", strings.Split(strings.Repeat("noise,", 50), ",")...)
	b.manager.Print("device-api", "cannot open \x1b[31m/etc/api.key\xff", "giving up")
	b.manager.Set("device-api", func(s *service.Status) {
		s.Active, s.Sub, s.Result, s.ExitStatus, s.MainPID, s.Restarts = service.Broken, "failed", "exit-code", 203, 0, 4
	})
	line, details := b.told(t)
	require.Contains(t, line, "exit status 203/EXEC")
	require.LessOrEqual(t, len(line), steps.LongestLine) // the first failure is the verdict: the others may not be waited for
	for _, part := range []string{
		"203/EXEC",
		"log of device-api:\n  noise", "  cannot open  [31m/etc/api.key\uFFFD\n  giving up",
	} {
		require.Contains(t, details, part)
	}
	require.NotContains(t, details, "the version before")
	require.NotContains(t, details, "failed before")
	require.Equal(t, 7, strings.Count(details, "noise"), "ten lines in all, one of them empty")
	require.Less(t, len(details), steps.LongestDetails)
}

func TestTheGateTellsThatItFailedBeforeToo(t *testing.T) {
	b := newBench(t, health.Check{Service: "device-api", Kind: health.TCP, Address: "127.0.0.1:1", Timeout: clock.Duration(time.Second)})
	b.task.Baseline = []byte(`{"results":[{"service":"device-api","kind":"tcp","target":"127.0.0.1:1","passed":false}]}`)
	line, details := b.told(t)
	require.Contains(t, line, "(it failed before the update, too)")
	require.Equal(t, "device-api failed before the update, too", details, "a service that runs, and has printed nothing")
}

// A line that had to be cut still says of which service it tells: the reason that the
// quarantine, the log and the end of an install show.
func TestAShortLineNamesTheService(t *testing.T) {
	b := newBench(t, health.Check{Service: "device-api", Kind: health.Command, Timeout: clock.Duration(time.Second), Command: []string{"/bin/sh", "-c", "echo '" + strings.Repeat("nozzle ", 30) + "'; exit 3"}})
	line, details := b.told(t)
	require.True(t, strings.HasPrefix(line, "device-api: "), line)
	what, _, _ := strings.Cut(line, "; ") // what to do is never cut
	require.LessOrEqual(t, len(what), steps.LongestLine)
	require.Contains(t, details, "device-api: command /bin/sh", "which check")
}

// A log of one endless line, of binary, or that cannot be read.
func TestTheGateBearsAnyLog(t *testing.T) {
	b := newBench(t, health.Check{Service: "device-api", Kind: health.TCP, Address: "127.0.0.1:1", Timeout: clock.Duration(time.Second)})
	b.manager.Print("device-api", strings.Repeat("x", 1<<20), strings.Repeat("\x00\xfe", 1<<16), "")
	_, details := b.told(t)
	require.Less(t, len(details), 3<<10)
	require.NotContains(t, details, "\x00")
}

// What a command of a check printed is in the details, and its last line in the line.
func TestTheGateTellsWhatACommandPrinted(t *testing.T) {
	b := newBench(t, health.Check{Service: "device-api", Kind: health.Command, Timeout: clock.Duration(time.Second), Command: []string{"/bin/sh", "-c", "echo nozzle; echo cold; exit 3"}})
	line, details := b.told(t)
	require.Contains(t, line, "exit status 3: cold")
	require.Contains(t, details, "\n  nozzle\n  cold")
}

// What a service's state has decided is told by that state: the service, that it has
// failed, how, and its last words. What the line has no room for goes at its end.
func TestTheLineOfAFailedServiceKeepsWhatMatters(t *testing.T) {
	const state = "device-api is failed (failed): exit status 203/EXEC (its program cannot be executed)"
	for name, c := range map[string]struct {
		prints, about, before string
		line                  string
	}{
		"its last words":        {prints: "cannot open /etc/api.key", about: "device-api.service: Failed with result 'exit-code'.", line: state + ": cannot open /etc/api.key"},
		"no words":              {about: "device-api.service: Failed with result 'exit-code'.", line: state + ": dial tcp 127.0.0.1:1: connect: connection refused"},
		"long words":            {prints: strings.Repeat("noise ", 50), line: state + ": " + strings.TrimSpace(strings.Repeat("noise ", 11)) + " noi..."},
		"it failed before, too": {prints: strings.Repeat("noise ", 50), before: `{"results":[{"service":"device-api","kind":"tcp","target":"127.0.0.1:1","passed":false}]}`, line: state + ": " + strings.Repeat("noise ", 5) + "nois... (it failed before the update, too)"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, health.Check{Service: "device-api", Kind: health.TCP, Address: "127.0.0.1:1", Timeout: clock.Duration(time.Second)})
			b.task.Baseline = []byte(c.before)
			if c.prints != "" {
				b.manager.Print("device-api", c.prints)
			}
			if c.about != "" {
				b.manager.PrintAbout("device-api", c.about)
			}
			b.manager.Set("device-api", func(s *service.Status) {
				s.Active, s.Sub, s.Result, s.ExitStatus, s.MainPID = service.Broken, "failed", "exit-code", 203, 0
			})
			line, _ := b.told(t)
			require.LessOrEqual(t, len(line), steps.LongestLine)
			require.Equal(t, c.line, line)
		})
	}
}
