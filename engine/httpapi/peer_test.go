package httpapi

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPeerOf: the kernel tells which user is on the other side.
func TestPeerOf(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	defer l.Close()
	mine, err := net.Dial("unix", l.Addr().String())
	require.NoError(t, err)
	defer mine.Close()
	theirs, err := l.Accept()
	require.NoError(t, err)
	defer theirs.Close()
	who := peerOf(theirs.(*net.UnixConn))
	require.NoError(t, who.err)
	require.EqualValues(t, os.Geteuid(), who.uid)
	require.Contains(t, who.groups, uint32(os.Getegid()))
	groups, err := os.Getgroups()
	require.NoError(t, err)
	for _, g := range groups {
		require.Contains(t, who.groups, uint32(g))
	}
	require.Equal(t, t.Context(), withPeer(t.Context(), &net.TCPConn{}), "TCP has no peer")
}

func TestWhoMayChangeSomething(t *testing.T) {
	const own, group = 500, 700
	for name, c := range map[string]struct {
		who  peer
		some bool
		may  bool
	}{
		"root":                            {who: peer{uid: 0}, may: true},
		"the updater's own user":          {who: peer{uid: own}, may: true},
		"a member":                        {who: peer{uid: 1, groups: []uint32{1, group}}, some: true, may: true},
		"a stranger":                      {who: peer{uid: 1, groups: []uint32{1, 2}}, some: true},
		"a stranger, where there is none": {who: peer{uid: 1, groups: []uint32{group}}},
		"nobody knows":                    {who: peer{err: net.ErrClosed}, some: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := peers{own: own, gid: group, some: c.some, next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })}
			ask := func(method string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(method, "/", nil)
				r = r.WithContext(context.WithValue(r.Context(), peerKey{}, c.who))
				w := httptest.NewRecorder()
				p.ServeHTTP(w, r)
				return w
			}
			require.Equal(t, http.StatusNoContent, ask("GET").Code)
			w := ask("POST")
			if c.may {
				require.Equal(t, http.StatusNoContent, w.Code)
				return
			}
			require.Equal(t, http.StatusForbidden, w.Code)
			require.Contains(t, w.Body.String(), "foreign-peer")
		})
	}
}
