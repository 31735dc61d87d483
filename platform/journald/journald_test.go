package journald_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/journald"
)

func listen(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestEntries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	c := &journald.Conn{Path: path}
	require.Error(t, c.Send([]journald.Field{{"MESSAGE", "nobody hears"}}))
	l := listen(t, path)
	require.NoError(t, c.Send([]journald.Field{{"MESSAGE", "one"}, {"WHY", "two\nlines"}, {"LONG", strings.Repeat("x", 1<<20)}}))
	got := make([]byte, 1<<20)
	n, err := l.Read(got)
	require.NoError(t, err)
	require.Equal(t, "MESSAGE=one\nWHY\n\x09\x00\x00\x00\x00\x00\x00\x00two\nlines\nLONG="+strings.Repeat("x", 16<<10)+"\n", string(got[:n]))

	// Another journal on the same path.
	require.NoError(t, l.Close())
	_ = os.Remove(path)
	l = listen(t, path)
	require.NoError(t, c.Send([]journald.Field{{"MESSAGE", "again"}}))
	n, err = l.Read(got)
	require.NoError(t, err)
	require.Equal(t, "MESSAGE=again\n", string(got[:n]))
}

func TestAJournalThatDoesNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	listen(t, path)
	c := &journald.Conn{Path: path}
	began := time.Now()
	var err error
	for range 10_000 {
		if err = c.Send([]journald.Field{{"MESSAGE", "x"}}); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Less(t, time.Since(began), 10*time.Second)
}

func TestStreamAndNames(t *testing.T) {
	require.False(t, journald.IsStream(os.Stderr, "1:2"))
	require.Equal(t, "UPDATE_ID", journald.Name("update_id"))
	require.Equal(t, "A_B_C", journald.Name("__a.b-c"))
	require.Empty(t, journald.Name("1"))
}
