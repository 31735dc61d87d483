package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// fetched reads what a server has, with a context, and returns how many bytes came.
func fetched(ctx context.Context, tr *Transport, url string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return io.Copy(io.Discard, resp.Body)
}

// A transfer that is bound ends within 64 KiB of the gate's word; one that is not bound
// goes on. Every byte of both is counted, and so is that of the answer before a redirect.
func TestTheGateHoldsWhatIsBound(t *testing.T) {
	const size = 1 << 20
	var requests atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path == "/away" {
			w.Header().Set("Location", "/file")
			w.WriteHeader(http.StatusFound)
			return
		}
		_, _ = w.Write(make([]byte, size))
	}))
	t.Cleanup(s.Close)
	tr := with(Settings{})
	ctx := Gated(t.Context())
	n, err := fetched(ctx, tr, s.URL)
	require.NoError(t, err, "there is no gate")
	require.EqualValues(t, size, n)
	require.NoError(t, tr.Gate())

	used := errors.New("today's data budget of 1.5 MB is used up, until 00:00")
	budget := int64(size + size/2)
	tr.SetGate(func() error {
		if tr.Count() >= budget {
			return used
		}
		return nil
	})
	n, err = fetched(ctx, tr, s.URL)
	var held *Held
	require.ErrorAs(t, err, &held)
	require.ErrorIs(t, err, used)
	require.Equal(t, used.Error(), held.Error())
	require.GreaterOrEqual(t, tr.Count(), budget)
	require.LessOrEqual(t, tr.Count(), budget+2*stride)
	require.Equal(t, tr.Count(), size+n)

	before := requests.Load()
	_, err = fetched(ctx, tr, s.URL)
	require.ErrorAs(t, err, &held)
	require.Equal(t, before, requests.Load(), "nothing is asked for in front of a shut gate")
	require.ErrorAs(t, tr.Gate(), &held)

	n, err = fetched(t.Context(), tr, s.URL)
	require.NoError(t, err, "a local request is not bound")
	require.EqualValues(t, size, n)

	asked := 0
	tr.SetGate(func() error {
		if asked++; asked > 1 {
			return used
		}
		return nil
	})
	_, err = fetched(ctx, tr, s.URL+"/away")
	require.ErrorAs(t, err, &held, "where a redirect leads is bound, too")
	tr.SetGate(nil)
	_, err = fetched(ctx, tr, s.URL+"/away")
	require.NoError(t, err)
}
