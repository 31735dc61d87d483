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

// TestWhoseSocketItIs: the kernel's word decides which door it is.
func TestWhoseSocketItIs(t *testing.T) {
	const own, group = 500, 700
	for name, c := range map[string]struct {
		who  peer
		some bool
		door Door
	}{
		"root":                            {peer{uid: 0}, false, SocketOwner},
		"the updater's own user":          {peer{uid: own}, false, SocketOwner},
		"a member":                        {peer{uid: 1, groups: []uint32{1, group}}, true, SocketGroup},
		"a stranger":                      {peer{uid: 1, groups: []uint32{1, 2}}, true, SocketStranger},
		"a stranger, where there is none": {peer{uid: 1, groups: []uint32{group}}, false, SocketStranger},
		"nobody knows":                    {peer{err: net.ErrClosed}, true, SocketStranger},
	} {
		t.Run(name, func(t *testing.T) {
			var door Door
			p := peers{own: own, gid: group, some: c.some, next: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { door = doorOf(r) })}
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			p.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithValue(r.Context(), peerKey{}, c.who)))
			require.Equal(t, c.door, door)
		})
	}
}
