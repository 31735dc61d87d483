package engine

// Memory keeps what clients were told last, so that a new process tells no less: the
// progress of a step that goes on, and an answer to polls before the journal is open.
// It is a memory aid beside the journal and decides nothing. It must survive the death
// of the process; a power cut may lose it.
type Memory interface {
	// Recall returns what Keep kept last; false when nothing was, or it cannot be read.
	Recall() (Shown, bool)
	// Keep is called at each change and at each percent, by one goroutine at a time.
	// It must be fast: it may not wait for a disk.
	Keep(s Shown)
}

// Shown is what clients were told of the newest update.
type Shown struct {
	// Boot is the boot it was told in.
	Boot string `json:"boot"`
	// Open says that the update was not over, or not cleaned up.
	Open bool `json:"open"`
	// Update is nil when there was none.
	Update  *UpdateStatus `json:"update"`
	Reached map[State]int `json:"reached,omitempty"`
}

// Status is the part of a Status that Shown has. The time since the end of an update
// is not known any more.
func (s Shown) Status() Status {
	st := Status{Schema: 1, State: Idle}
	if s.Update == nil {
		return st
	}
	u := *s.Update
	u.Reached = s.Reached
	if s.Open {
		st.State, st.Update = u.State, &u
	} else {
		st.Last = &u
	}
	return st
}

// percent is how far a state's step had come in an update, as far as is known.
func (s Shown) percent(update string, state State) int {
	if u := s.Update; s.Open && u != nil && u.ID == update && u.State == state {
		return u.Progress
	}
	return 0
}

// noMemory remembers nothing.
type noMemory struct{}

func (noMemory) Recall() (Shown, bool) { return Shown{}, false }
func (noMemory) Keep(Shown)            {}
