package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/versions"
)

// Status is the body of GET /api/v2/status: what the engine knows, and what is on the
// device now, which others may have changed since the engine looked.
type Status struct {
	// Pointers of the engine's status are replaced by those that are there now.
	engine.Status
	// Strange says of each pointer that does not lead to an installed version what it
	// is; absent when there is none.
	Strange map[string]string `json:"strange,omitempty"`
	// Denied tells, a line each, what the daemon's sandbox keeps it from, though the
	// configuration needs it; absent when there is nothing.
	Denied []string `json:"denied,omitempty"`
	// Services are those that run with the current version, as seen now.
	Services []Service `json:"services"`
	// LAN is the network's door; absent where there is none.
	LAN *LANStatus `json:"lan,omitempty"`
	// Fleet says in one line what is next of the source of offers; absent without one.
	Fleet string `json:"fleet,omitempty"`
}

// LANStatus is the door for the network.
type LANStatus struct {
	// Address is where it listens, HOST:PORT.
	Address string `json:"address"`
	// Fingerprint is the SHA-256 of the certificate that clients are shown. SelfSigned says
	// that the device made it: the fingerprint is all that there is to trust.
	Fingerprint string `json:"fingerprint,omitempty"`
	SelfSigned  bool   `json:"self_signed"`
	// Problem says why nobody, or nobody new, can connect; empty when all is well.
	Problem string `json:"problem,omitempty"`
}

// Service is a service as it is now.
type Service struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	// Versions are those that it runs from, or, while it has no process, those that
	// its unit leads into: one, unless something is wrong; none for one that lies
	// outside or cannot be looked at.
	Versions []string `json:"versions"`
	// Outside: the configuration says that it does not run from the versions.
	Outside bool `json:"outside"`
	// Text says how it is in a sentence without a full stop.
	Text string `json:"text"`
}

// Eyes look at the services.
type Eyes struct {
	// Names are the services that there are in any case.
	Names []string
	// Look may take as long as the service manager does; it is called at most once at
	// the same time, and ends with its context. Nil looks at nothing.
	Look func(context.Context) []Service
}

const (
	// recent is how old a look may be that answers a request, or rest times what it took
	// (at most glance), if that is longer: watchers of a device with many services leave the service manager
	// its time for the services.
	recent = 250 * time.Millisecond
	rest   = 5
	// glance is how long a request waits for a look.
	glance = 2 * time.Second
	// longLook is when a look is given up.
	longLook = 10 * time.Second
)

// moment is an update, and whether it is over. A look belongs to the moment in which it
// began: whoever reads of a committed update must not be told of the services before it.
// The states on the way do not count: a look at each would take the service manager's time
// when the services wait for it.
type moment struct {
	update string
	over   bool
	ended  string
}

// presence answers every request from one look at the services for each quarter of a
// second, or longer where a look takes long, however many ask, and at least one for each
// moment that is asked about. A service manager that hangs keeps none of them waiting.
type presence struct {
	eyes  Eyes
	clock clock.Clock
	// status is the engine's, as it is now.
	status func() engine.Status

	mu     sync.Mutex
	seen   []Service
	at     time.Duration // when seen was seen; 0 for never
	took   time.Duration // how long that look took
	begun  int           // how many looks have begun
	of     moment        // in which the last of them began
	began  time.Duration
	flight chan struct{} // closed at the end of the look that is under way; nil for none
}

// moment is what the update has come to now.
func (p *presence) moment() (m moment) {
	s := p.status()
	if s.Update != nil {
		m.update, m.over = s.Update.ID, engine.Terminal(s.Update.State)
	}
	if s.Last != nil {
		m.ended = s.Last.ID
	}
	return m
}

// services are as they are now, or say since when that is not known.
func (p *presence) services(ctx context.Context) []Service {
	if p.eyes.Look == nil {
		return []Service{}
	}
	asked := p.moment()
	for need := 0; ; { // the first look that answers; 0 while that is not known
		p.mu.Lock()
		now := p.clock.Monotonic()
		fresh := p.at != 0 && p.of == asked && now-p.at < max(recent, min(rest*p.took, glance))
		over := p.begun // how many looks are over: one is under way at most
		if p.flight != nil {
			over--
		}
		if need != 0 && over >= need || p.flight == nil && fresh {
			defer p.mu.Unlock()
			return p.seen
		}
		if p.flight == nil {
			p.flight, p.began, p.of = make(chan struct{}), now, asked
			p.begun++
			go p.look(p.flight)
		}
		if need == 0 {
			need = p.begun
			if p.of != asked { // it began before what this answer tells of
				need++
			}
		}
		flight, hung := p.flight, now-p.began >= glance
		p.mu.Unlock()
		if hung { // whoever came first has waited for it already
			return p.unknown()
		}
		// At most two looks are waited for: the one that was under way, and one's own.
		patience := time.NewTimer(glance)
		select {
		case <-flight:
			patience.Stop()
		case <-patience.C:
			return p.unknown()
		case <-ctx.Done():
			return p.unknown()
		}
	}
}

// look looks once. It belongs to no request: others wait for it too.
func (p *presence) look(over chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), longLook)
	defer cancel()
	seen := list(p.eyes.Look(ctx))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen, p.at, p.flight = seen, p.clock.Monotonic(), nil
	p.took = p.at - p.began
	close(over)
}

// unknown is the answer while the service manager gives none.
func (p *presence) unknown() []Service {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := slices.Clone(p.eyes.Names)
	for _, s := range p.seen {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	all := []Service{}
	for _, name := range names {
		all = append(all, Service{
			Name: name, Versions: []string{},
			Text: fmt.Sprintf("is not known: the service manager has not answered for %s", (p.clock.Monotonic() - p.began).Round(time.Second)),
		})
	}
	return all
}

// compared adds to the services' texts where current leads, if they do not run from there.
func compared(services []Service, current string) []Service {
	services = slices.Clone(services)
	for i, s := range services {
		if current != "" && len(s.Versions) > 0 && !slices.Equal(s.Versions, []string{current}) {
			services[i].Text += ", while current leads to " + current
		}
	}
	return services
}

// pointersNow are the pointers as they are, and what is wrong with them. When they cannot
// be read, known are the ones to tell.
func (a *api) pointersNow(known versions.Pointers) (versions.Pointers, map[string]string) {
	now, strange, err := look.Targets(a.Versions)
	if err != nil {
		return known, map[string]string{versions.Current: err.Error()}
	}
	for name, target := range strange {
		strange[name] = fmt.Sprintf("leads to %s, which is not a version", target)
		if target == look.NotALink {
			strange[name] = "is a file or directory, not a link"
		}
	}
	for _, p := range (look.Pointers{Pointers: now}).All() {
		if p.Version == "" {
			continue
		}
		if _, err := os.Lstat(a.Versions.Path(p.Version)); errors.Is(err, fs.ErrNotExist) {
			strange[p.Name] = fmt.Sprintf("leads to %s, which is not installed", p.Version)
		}
	}
	return now, strange
}

// whoRuns adds to each version the services that run from it.
func whoRuns(all []versions.Info, services []Service) []InstalledVersion {
	out := make([]InstalledVersion, 0, len(all))
	for _, v := range all {
		one := InstalledVersion{Info: v, Services: []string{}}
		for _, s := range services {
			if s.Running && slices.Contains(s.Versions, v.Version) {
				one.Services = append(one.Services, s.Name)
			}
		}
		out = append(out, one)
	}
	return out
}
