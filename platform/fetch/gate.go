package fetch

import (
	"context"
	"io"
)

// stride is how many bytes of a gated body are read between two looks at the gate.
const stride = 64 << 10

// Held is why a gated transfer does not go on for now, though nothing is wrong: a data
// budget is used up, or the network costs money.
type Held struct{ Err error }

func (h *Held) Error() string { return h.Err.Error() }
func (h *Held) Unwrap() error { return h.Err }

type gatedKey struct{}

// Gated makes the gate of a Transport bind the requests of a context, their redirects and
// the bodies of their answers. No other request is bound.
func Gated(ctx context.Context) context.Context { return context.WithValue(ctx, gatedKey{}, true) }

// SetGate has the gate asked before each gated request, and again after each 64 KiB of its
// body. The gate's error says in one line for people why not now, and until when: the
// transfer ends with it, as a *Held. The gate is called by every transfer and must be
// quick. nil opens it for all. Safe for concurrent use; a transfer that runs is bound from
// its next look on.
func (t *Transport) SetGate(gate func() error) { t.gate.Store(&gate) }

// Gate asks the gate whether a gated transfer might go on now. Its error is a *Held.
func (t *Transport) Gate() error {
	gate := t.gate.Load()
	if gate == nil || *gate == nil {
		return nil
	}
	if err := (*gate)(); err != nil {
		return &Held{err}
	}
	return nil
}

// bound is Gate for the requests of a context: nil when it is not gated.
func (t *Transport) bound(ctx context.Context) error {
	if gated, _ := ctx.Value(gatedKey{}).(bool); !gated {
		return nil
	}
	return t.Gate()
}

// Count is how many bytes of bodies have come since the Transport was made, whoever asked
// for them. Headers and what TLS adds do not count.
func (t *Transport) Count() int64 { return t.count.Load() }

// metered is a body that is counted, and that the gate may end.
type metered struct {
	io.ReadCloser
	t   *Transport
	ctx context.Context // a Read has none of its own
	// since is how much has come since the last look at the gate.
	since int
}

func (m *metered) Read(p []byte) (int, error) {
	if m.since >= stride {
		if err := m.t.bound(m.ctx); err != nil {
			return 0, err
		}
		m.since = 0
	}
	n, err := m.ReadCloser.Read(p[:min(len(p), stride)])
	m.since += n
	m.t.count.Add(int64(n))
	return n, err
}
