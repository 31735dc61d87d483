package servicetest

import (
	"context"
	"time"

	"github.com/tope/updater/platform/service"
)

// printed is a line of a service's log.
type printed struct {
	at    time.Duration
	line  string
	about bool
}

// Print adds lines to the log of a service, at this moment.
func (f *Fake) Print(name string, lines ...string) {
	f.print(name, false, lines)
}

// PrintAbout adds lines of the manager's own to the log of a service.
func (f *Fake) PrintAbout(name string, lines ...string) { f.print(name, true, lines) }

func (f *Fake) print(name string, about bool, lines []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.logs == nil {
		f.logs = map[string][]printed{}
	}
	for _, line := range lines {
		f.logs[name] = append(f.logs[name], printed{f.clock.Monotonic(), line, about})
	}
}

// LogOf implements service.LogKeeper.
func (f *Fake) LogOf(s service.Service) string { return "log of " + s.UnitName() }

// Tail implements service.LogKeeper.
func (f *Fake) Tail(ctx context.Context, s service.Service, since time.Duration, n int) (lines []service.LogLine, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reachable(ctx, s.Name); err != nil {
		return nil, err
	}
	for _, p := range f.logs[s.Name] {
		if p.at >= since {
			lines = append(lines, service.LogLine{Text: p.line, About: p.about})
		}
	}
	return lines[max(0, len(lines)-n):], nil
}
