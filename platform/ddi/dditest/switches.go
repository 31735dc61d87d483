package dditest

import (
	"net/http"
	"slices"
)

// Switches are how a server is set up, and what is wrong with it.
type Switches struct {
	// Tenant is DEFAULT, and Sleep 00:05:00.
	Tenant, Sleep string
	// Prefix is a path below which the server is, like /hawkbit.
	Prefix string
	// NoTargetTokens switches them off, GatewayToken allows one, and Certificates allows
	// a certificate with the target's id for its common name.
	NoTargetTokens bool
	GatewayToken   string
	Certificates   bool
	// Confirmation is the tenant's user.confirmation.flow.enabled.
	Confirmation bool
	// Links is what links begin with, like http://up.example: the request's Host with
	// http, when empty. hawkBit writes http also behind a proxy of https.
	Links string
	// PlainName says that links to artifacts are called download-http, as they are in
	// hawkBit's default configuration, whatever their URL is; otherwise download.
	PlainName bool
	// Trouble is asked about each request, before anything else; nil is none. The server
	// is locked while it is asked.
	Trouble func(*http.Request) Trouble
}

// Trouble is what becomes of a request. The zero value is an honest answer.
type Trouble struct {
	// Unheard: the connection ends before the server has read anything. Lost: it ends
	// after the server has done what it was asked.
	Unheard, Lost bool
	// Status, when it is not 0, is answered by somebody in between, or a busy server.
	Status int
	Header map[string]string
	Body   string
}

// Busy is hawkBit's limit of requests a second and address.
func Busy(retryAfter string) Trouble {
	return Trouble{Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": retryAfter}}
}

// Switch changes how the server is set up.
func (s *Server) Switch(change func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.switches)
}

// Requests are those since the last call, like "GET /DEFAULT/controller/v1/dev1".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.requests)
	s.requests = nil
	return all
}
