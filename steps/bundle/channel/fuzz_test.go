package channel_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps/bundle/channel"
	"github.com/tope/updater/steps/bundle/trust"
)

// FuzzChannel gives a device any file, whose signature is good: it reads it in one way
// only, decides something of every device, and says it in one line.
func FuzzChannel(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte(`{"schema":1,"channel":"c","product":"p","releases":[],"serial":1,"issued":"1970-01-01T00:00:00Z","expires":"1970-01-01T00:00:01Z"}`))
	f.Add([]byte(`{"schema":1,"serial":9007199254740991}`))
	good := func([]byte, []byte) (trust.Key, error) { return trust.Key{Public: "k"}, nil }
	f.Fuzz(func(t *testing.T, body []byte) {
		file, err := channel.Seal(body, [][]byte{{1}})
		if err != nil {
			return
		}
		s, err := channel.Verify(file, good)
		if err != nil {
			require.Nil(t, s)
			return
		}
		var lenient struct{ Serial json.Number }
		require.NoError(t, json.Unmarshal(body, &lenient))
		require.Equal(t, lenient.Serial.String(), strconv.FormatInt(s.Serial, 10))
		encoded, err := s.Encode()
		require.NoError(t, err)
		again, err := channel.Parse(encoded)
		require.NoError(t, err)
		require.Equal(t, s.File, again)
		m := channel.Memory{}.Advance(s)
		require.NoError(t, m.Judge(s), "the same file is taken again")
		for _, d := range []channel.Device{{}, device(), {ID: "x", Version: "0.0.1", Early: true, Accepted: digest("a")}} {
			for _, now := range []time.Time{s.Issued, s.Expires, today()} {
				c := s.Choose(d, now)
				require.NotEmpty(t, c.Text)
				require.NotContains(t, c.Text, "\n")
				require.Equal(t, c.Release != nil, c.Reason == channel.Offered)
				if c.Release != nil {
					require.Equal(t, channel.Open, c.Release.State)
				}
			}
		}
	})
}

// FuzzUnseal takes any file apart, and what it takes can be sealed again.
func FuzzUnseal(f *testing.F) {
	f.Add([]byte(`{"schema":1,"channel":"YQ==","signatures":["YQ=="]}`))
	f.Add([]byte(`{"schema":1,"channel":"YQ==","signatures":[null]}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		body, signatures, err := channel.Unseal(file)
		if err != nil {
			return
		}
		sealed, err := channel.Seal(body, signatures)
		require.NoError(t, err)
		again, _, err := channel.Unseal(sealed)
		require.NoError(t, err)
		require.Equal(t, body, again)
	})
}
