package dditest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Handling is what an operator asks for.
type Handling string

// The kinds of assignment.
const (
	Forced       Handling = "forced"
	Soft         Handling = "soft"
	DownloadOnly Handling = "downloadonly"
)

// Set is a distribution set.
type Set struct {
	Name, Version string
	// Modules are its software modules, each with its artifacts.
	Modules []Module
}

// Module is a software module. Its number is the place that AddSet gives it.
type Module struct {
	// Type is "application" or "runtime"; DDI calls them bApp and jvm.
	Type      string
	Artifacts []File
	number    int
}

// File is an artifact.
type File struct {
	Name string
	Body []byte
}

// target is a device, as the server knows it.
type target struct {
	id, token    string
	attributes   map[string]string
	wanted       bool // the server wants to know its attributes
	installedSet int
}

// The states of an action, in the words of the Management API.
const (
	Waiting    = "wait_for_confirmation"
	Running    = "running"
	Canceling  = "canceling"
	Canceled   = "canceled"
	Finished   = "finished"
	Failed     = "error"
	Fetched    = "downloaded"
	maxEntries = 1000
)

// action is the assignment of a set to a target.
type action struct {
	id       int
	target   *target
	set      int
	handling Handling
	// window is "", "available" or "unavailable".
	window string
	state  string
	// row counts the changes that a device sees in the link's number.
	row       int
	retrieved bool
	entries   []Entry
	code      int
}

// Entry is a status of an action, as the operator sees it.
type Entry struct {
	State    string
	Messages []string
	// Time is what the device said, in ms since 1970; 0 when it did not.
	Time int64
	Code int
}

// View is an action, as the operator sees it.
type View struct {
	State   string
	Code    int
	Entries []Entry
}

func (a *action) active() bool {
	return a.state == Running || a.state == Waiting || a.state == Canceling
}

func (a *action) log(state string, messages ...string) {
	a.entries = append(a.entries, Entry{State: state, Messages: messages})
}

// AddTarget makes a target with its security token.
func (s *Server) AddTarget(id, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(id, token)
}

func (s *Server) add(id, token string) *target {
	d := &target{id: id, token: token, wanted: true}
	s.targets[id] = d
	return d
}

// RemoveTarget forgets a target, with what was assigned to it.
func (s *Server) RemoveTarget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.targets, id)
}

// AddSet makes a distribution set, and returns its number.
func (s *Server) AddSet(set Set) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	set.Modules = slices.Clone(set.Modules)
	modules := 0
	for _, other := range s.sets {
		modules += len(other.Modules)
	}
	for i := range set.Modules {
		set.Modules[i].number = modules + i + 1
	}
	number := len(s.sets) + 1
	s.sets[number] = &set
	return number
}

// AddBundle is AddSet for a set of one module with one artifact.
func (s *Server) AddBundle(file, version string, body []byte) int {
	return s.AddSet(Set{Name: "app", Version: version, Modules: []Module{{Type: "application", Artifacts: []File{{file, body}}}}})
}

// Assign makes an action, and returns its number as a device sees it. What was assigned
// before is cancelled, and the new one is not offered until that is over.
func (s *Server) Assign(id string, set int, h Handling) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.actions {
		if a.target.id == id && a.active() {
			a.state = Canceling
			a.row++
		}
	}
	a := &action{id: len(s.actions) + 1, target: s.targets[id], set: set, handling: h, state: Running}
	if s.switches.Confirmation {
		a.state = Waiting
	}
	a.log("running", "Assignment initiated by user 'admin'")
	s.actions = append(s.actions, a)
	return strconv.Itoa(a.id)
}

// Window gives an action a maintenance window, which is open or shut.
func (s *Server) Window(action string, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.find(nil, action)
	if a.window = "unavailable"; open {
		a.window = "available"
	}
	a.row++
}

// Cancel asks the device to stop; false when it is too late or was asked already.
func (s *Server) Cancel(action string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.find(nil, action)
	if !a.active() || a.state == Canceling {
		return false
	}
	a.state = Canceling
	a.row++
	return true
}

// ForceQuit ends an action without the device; false (405) when it was not cancelled first.
func (s *Server) ForceQuit(action string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.find(nil, action)
	if a.state != Canceling {
		return false
	}
	a.state = Canceled
	return true
}

// Action is what the operator sees of one.
func (s *Server) Action(action string) View {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.find(nil, action)
	return View{State: a.state, Code: a.code, Entries: slices.Clone(a.entries)}
}

// Attributes are what the device has told of itself.
func (s *Server) Attributes(id string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.targets[id].attributes)
}

// find is the action of this number, which is of this target when one is given; nil for none.
func (s *Server) find(d *target, number string) *action {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(s.actions) || strings.HasPrefix(number, "+") {
		return nil
	}
	a := s.actions[n-1]
	if d != nil && a.target != d {
		return nil
	}
	return a
}

// SetToken gives a target another security token.
func (s *Server) SetToken(id, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets[id].token = token
}
