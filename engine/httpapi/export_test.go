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
	for _, k := range append(kinds(), noRoute, wrongMethod, foreignHost, foreignOrigin, foreignPeer, refused, internal) {
		names = append(names, k.name)
	}
	return names
}

// MaxConns is the bound of each listener.
const MaxConns = maxConns

// Open is how many connections the i-th listener has taken.
func (s *Server) Open(i int) int { return len(s.listeners[i].(*limited).slots) }

// hurry is short for a test, long for a loopback answer.
const hurry = 300 * time.Millisecond

// Hurry makes the server's limits short.
func (s *Server) Hurry() { s.limits = limits{hurry, hurry, hurry, hurry} }

// OutlastLimits returns when all limits of a hurried server have passed.
func (s *Server) OutlastLimits() { <-time.After(2 * hurry) }
