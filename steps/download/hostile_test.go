package download

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
)

const tag = `"v1"`

// first answers the first request with one handler and the others with another.
func first(a, rest func(talk)) func(talk) {
	return func(k talk) {
		if k.n == 0 {
			a(k)
			return
		}
		rest(k)
	}
}

func answer(head string) func(talk) {
	return func(k talk) { k.printf("%s", strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n") }
}

// hostile is a server with one behaviour, and the expected result.
type hostile struct {
	name   string
	handle func(talk)
	edit   func(*steps.Source)
	config func(*Config)
	// class and text of the failure; none for success.
	class steps.Class
	code  steps.Code
	text  string
	// events, in order, and the number of requests; 0 for any number.
	events   []string
	requests int
}

// TestHostileServers: each of hostileCases ends with the right bytes, or with the right
// refusal and no file left behind.
func TestHostileServers(t *testing.T) {
	b := bundleOf(300_000, 1)
	cases := hostileCases(b)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, c.handle)
			task := newTask(t, from(s.url(), b))
			s.meter.Store(task.Meter)
			if c.edit != nil {
				c.edit(&task.Source)
			}
			step := stepFor(s.clk)
			if c.config != nil {
				step = stepFor(s.clk, c.config)
			}
			out, err := do(t, step, task)
			require.Equal(t, c.events, kinds(out.Evidence.(Evidence)), "events; error: %v", err)
			if c.class == "" {
				require.NoError(t, err)
				requireBundle(t, task, b, out)
			} else {
				require.Error(t, err)
				e := steps.AsError(err)
				require.Equal(t, c.class, e.Class, err.Error())
				require.Equal(t, c.code, e.Code, err.Error())
				require.Contains(t, err.Error(), c.text)
				require.Contains(t, err.Error(), task.Source.URL.Redacted(), "the error does not say what was downloaded")
				if s.requests() > 0 {
					requireOutline(t, e, task.Source.URL.Redacted())
				}
				requireNoBundle(t, task, step.cfg.MaxSize)
				if task.Source.Size > 0 {
					requireNoBundle(t, task, task.Source.Size)
				}
			}
			if c.requests > 0 {
				require.Equal(t, c.requests, s.requests())
			}
		})
	}
	require.GreaterOrEqual(t, len(cases), 25)
}
