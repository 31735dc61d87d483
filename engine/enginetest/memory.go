package enginetest

import (
	"sync"

	"github.com/tope/updater/engine"
)

// Memory is an engine.Memory that outlives processes. Lose is what a power cut may do
// to it.
type Memory struct {
	mu   sync.Mutex
	kept *engine.Shown
}

// Recall returns what was kept last.
func (m *Memory) Recall() (engine.Shown, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil {
		return engine.Shown{}, false
	}
	return *m.kept, true
}

// Keep keeps s. As in a file, nothing is shared with the process.
func (m *Memory) Keep(s engine.Shown) {
	if s.Update != nil {
		u := *s.Update
		s.Update = &u
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = &s
}

// Lose forgets everything.
func (m *Memory) Lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = nil
}

func (m *Memory) clone() *Memory {
	c := &Memory{}
	if s, ok := m.Recall(); ok {
		c.kept = &s
	}
	return c
}
