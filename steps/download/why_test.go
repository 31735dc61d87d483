package download

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNamesThatDoNotExist: a name that does not exist is told apart from a network that is
// away and from a name server that does not answer. All three are waited out.
func TestNamesThatDoNotExist(t *testing.T) {
	r := newRun(Config{Clock: newPatient()}.withDefaults(), newTask(t, at("http://updates.example/r.tope")))
	dial := func(err error) error {
		return fmt.Errorf("wrapped: %w", &net.OpError{Op: "dial", Net: "tcp", Err: err})
	}
	for name, c := range map[string]struct {
		err        error
		what, says string
	}{
		"no such name": {
			dial(&net.DNSError{Err: "no such host", Name: "updates.example", IsNotFound: true}),
			noSuchName, "the name of host updates.example does not exist; check the URL, and the network's DNS",
		},
		"no answer": {
			dial(&net.DNSError{Err: "i/o timeout", Name: "updates.example", IsTimeout: true, IsTemporary: true}),
			cannotConnect, "cannot reach host updates.example: i/o timeout",
		},
		"no network": {dial(syscall.ENETUNREACH), cannotConnect, "cannot reach host updates.example: network is unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			err := classify(t.Context(), c.err)
			var out *outage
			require.True(t, errors.As(err, &out), "%v", err)
			require.Equal(t, c.what, out.what)
			require.Equal(t, c.says, r.why(err))
		})
	}
}
