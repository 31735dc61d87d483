package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/legacy"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/token"
)

// Rights are what a request may do: a set.
type Rights uint8

// The rights. A route needs one of them (routes.go), a door gives some, and a token adds
// those of its scopes.
const (
	// Look is reading without what is private.
	Look Rights = 1 << iota
	// ReadPrivate is reading everything: the journal, the words of services and servers
	// in it, sources, and who asked; and having the device read back what it has.
	ReadPrivate
	// LegacyInstall is the legacy API's: downloading a package and installing it.
	LegacyInstall
	// InstallUpdates is beginning, continuing and cancelling an update that the device's
	// rules allow.
	InstallUpdates
	// Operate is nearly everything else that changes something. It also sets rules aside:
	// force, and retry in spite of quarantine.
	Operate
	// RootOnly is what no token gives, nor membership of Group.
	RootOnly

	ofGroup    = Look | ReadPrivate | LegacyInstall | InstallUpdates | Operate
	everything = ofGroup | RootOnly
)

// has reports whether all of need are among r.
func (r Rights) has(need Rights) bool { return r&need == need }

// scope is the scope of a token that gives a right; empty for one that none gives.
func (r Rights) scope() token.Scope {
	switch r {
	case RootOnly:
		return ""
	case ReadPrivate:
		return token.Read
	case LegacyInstall, InstallUpdates:
		return token.Install
	}
	return token.Operate
}

// ofScopes are the rights of a token, whatever door it comes through.
func ofScopes(scopes []token.Scope) Rights {
	r := Look
	for _, s := range scopes {
		switch s {
		case token.Read:
			r |= ReadPrivate
		case token.Install:
			r |= InstallUpdates | LegacyInstall
		case token.Operate:
			r |= Operate
		}
	}
	return r
}

// LegacyAccess says what the legacy API gives to a client on loopback that has no token.
type LegacyAccess string

// What the legacy API can be.
const (
	// LegacyOpen: anybody on the device may have a package downloaded and installed, as
	// the first updater had it.
	LegacyOpen LegacyAccess = "open"
	// LegacyToken: installing takes a token with the scope install. Progress is open.
	LegacyToken LegacyAccess = "token"
	// LegacyOff: there is no legacy API over TCP.
	LegacyOff LegacyAccess = "off"
)

// LegacyAccesses are all of them.
func LegacyAccesses() []LegacyAccess { return []LegacyAccess{LegacyOpen, LegacyToken, LegacyOff} }

// Tokens says which token a text is: token.Store. Errors: token.ErrUnknown,
// token.ErrExpired, token.ErrUnreadable.
type Tokens interface {
	Check(text string, now time.Time) (token.Token, error)
}

// gives are the rights that a door gives to whoever comes through it.
func (a *api) gives(d Door) Rights {
	switch d {
	case InProcess, SocketOwner:
		return everything
	case SocketGroup:
		return ofGroup
	case Loopback:
		if a.Legacy == LegacyOpen {
			return Look | LegacyInstall
		}
	}
	return Look
}

// caller is who sent a request, and what it may do. asker is nil for one that changes
// nothing and has no token.
type caller struct {
	rights Rights
	asker  *journal.Asker
}

// admitted is a route's handler behind the judgement of who may have it; old is a route
// of the legacy API. This is the only place where that is decided. A handler whose
// request may ask for more than its route does asks need.
func (a *api) admitted(needs Rights, old bool, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if old && a.Legacy == LegacyOff && doorOf(r).tcp() {
			a.refuse(w, r, newProblem(noRoute, "the legacy API is off on this device ([legacy] api)"))
			return
		}
		who, p := a.identify(r)
		// A client of the legacy API may send a header that is meant for another program.
		if p != nil && old && a.gives(doorOf(r)).has(needs) {
			who, p = a.unnamed(r), nil
		}
		if p == nil {
			p = who.lacks(r, needs)
		}
		switch {
		case p != nil:
			a.refuse(w, r, p)
		case old && !changes(r): // a poll is to cost little, and shows the same to all
			next(w, r)
		default:
			next(w, r.WithContext(withCaller(r.Context(), who)))
		}
	}
}

// refuse answers a request that may not be made, and logs it if it would have changed
// something.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, p *Problem) {
	if changes(r) {
		a.Log.Warn("a request was refused", "method", r.Method, "path", r.URL.Path, "by", a.unnamed(r).asker.String(), "why", p.Detail)
	}
	switch p.Status {
	case http.StatusUnauthorized:
		challenge := `Bearer realm="tope-updater"`
		if bearer(r) != "" {
			challenge += `, error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", retryAfter)
	}
	if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, LegacyPrefix) {
		said := legacy.Forbid(p.Status, p.Detail)
		writeJSON(w, said.HTTP, said.Body)
		return
	}
	p.write(w)
}

// identify says who sent a request: by its token, if it has one, and else by its door.
func (a *api) identify(r *http.Request) (caller, *Problem) {
	who := a.unnamed(r)
	text := bearer(r)
	if text == "" {
		return who, nil
	}
	peer := attempter(r)
	if !a.attempts.may(peer, a.Clock.Monotonic()) {
		p := newProblem(tooMany, "too many wrong tokens came from "+peer+"; wait 6 seconds, and use the right one")
		p.Title = "too many wrong tokens"
		return caller{}, p
	}
	t, err := a.check(text)
	if err != nil {
		// Whoever has a token that was right is not guessing.
		if !errors.Is(err, token.ErrExpired) {
			a.attempts.failed(peer, a.Clock.Monotonic())
		}
		return caller{}, newProblem(unauthorized, badToken(err))
	}
	who.rights |= ofScopes(t.Scopes)
	who.asker = askerOf(r)
	who.asker.Kind, who.asker.Token = journal.ByToken, t.Name
	return who, nil
}

// unnamed is who sent a request, by its door alone.
func (a *api) unnamed(r *http.Request) caller {
	who := caller{rights: a.gives(doorOf(r))}
	if changes(r) {
		who.asker = askerOf(r)
	}
	return who
}

// changes reports whether a request may change something.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead
}

func (a *api) check(text string) (token.Token, error) {
	if a.Tokens == nil {
		return token.Token{}, token.ErrUnknown
	}
	return a.Tokens.Check(text, a.latest())
}

// latest is the time at which tokens are judged: the wall clock, but not before what the
// journal last tells of. A device without a battery begins in 1970, and a token that has
// expired must not be good again for that.
func (a *api) latest() time.Time { return Latest(a.Clock.Now(), a.Engine.Status()) }

// Latest is now, or the newest time that a status knows of, if that is later.
func Latest(now time.Time, st engine.Status) time.Time {
	for _, u := range []*engine.UpdateStatus{st.Update, st.Last} {
		if u == nil {
			continue
		}
		for _, t := range []time.Time{u.Accepted, u.Ended} {
			if t.After(now) {
				now = t
			}
		}
	}
	return now
}

func badToken(err error) string {
	switch {
	case errors.Is(err, token.ErrExpired):
		return "the token has expired; make another with \"tope-updater token create\""
	case errors.Is(err, token.ErrUnreadable):
		return "no token is accepted, because the device cannot read its own; \"tope-updater token list\" says why"
	}
	return "the device does not know this token, or not any more; \"tope-updater token list\" has those it knows"
}

// bearer is the token that a request has; empty without one. Other kinds of credentials
// are another program's.
func bearer(r *http.Request) string {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(text)
}

// lacks returns the refusal of a request that needs more than its sender has.
func (c caller) lacks(r *http.Request, needs Rights) *Problem {
	switch {
	case c.rights.has(needs):
		return nil
	case needs == RootOnly:
		return newProblem(foreignPeer, "only root may do that, through the socket or by a command")
	case bearer(r) != "":
		return newProblem(lacksScope, "this takes a token with the scope "+string(needs.scope())+", which "+c.asker.Token+" does not have")
	case doorOf(r).tcp():
		return newProblem(unauthorized, "over TCP this takes a token with the scope "+string(needs.scope())+` ("tope-updater token create"), as "Authorization: Bearer TOKEN"; or use the socket`)
	}
	return strangeTo(r)
}

// need refuses a request that asks for more than its route: its error is the answer.
func need(r *http.Request, needs Rights) error {
	if p := callerOf(r).lacks(r, needs); p != nil {
		return p
	}
	return nil
}
