package httpapi

import "time"

// Routes lists the routes, "METHOD /path" each.
func Routes() []string {
	var all []string
	for _, r := range new(api).routes() {
		all = append(all, r.method+" "+r.path)
	}
	return all
}

// ProblemKinds lists the names of the kinds of problem.
func ProblemKinds() []string {
	var names []string
	for _, k := range append(kinds(), noRoute, wrongMethod, foreignHost, foreignOrigin, foreignPeer, unauthorized, lacksScope, tooMany, refused, diskFull, internal) {
		names = append(names, k.name)
	}
	return names
}

// MaxConns bounds the connections of a server, MaxLarge its large answers.
const (
	MaxConns = maxConns
	MaxLarge = maxLarge
)

// Open is how many connections the server has.
func (s *Server) Open() int { return s.budget.conns.taken() }

// hurry is short for a test, long for a loopback answer.
const hurry = 300 * time.Millisecond

// Hurry makes the server's limits short.
func (s *Server) Hurry() { s.limits = limits{hurry, hurry, hurry, hurry} }

// OutlastLimits returns when all limits of a hurried server have passed.
func (s *Server) OutlastLimits() { <-time.After(2 * hurry) }

// ScopesOfRoutes has the scope that each route takes, "METHOD /path"; empty for none.
func ScopesOfRoutes() map[string]string {
	all := map[string]string{}
	for _, r := range new(api).routes() {
		scope := ""
		if r.needs != Look {
			scope = string(r.needs.scope())
		}
		all[r.method+" "+r.path] = scope
	}
	return all
}

// SetGroup says which group's members may use the socket, whatever the system has.
func (s *Server) SetGroup(gid uint32) {
	s.handler.gid, s.handler.some = gid, true
}

// PublicFleet is what anybody may see of the fleet.
var PublicFleet = publicFleet
