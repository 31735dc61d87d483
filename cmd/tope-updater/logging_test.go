package main

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/journald"
)

// TestCatalog: each MESSAGE_ID in code is explained in both languages, and the
// catalog explains nothing else.
func TestCatalog(t *testing.T) {
	text, err := os.ReadFile("../../deploy/systemd/tope-updater.catalog")
	require.NoError(t, err)
	entries := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^-- (\S+)( zh_CN)?\nSubject: \S.*\nDefined-By: tope-updater\nSupport: \S+\n\n\S`).FindAllSubmatch(text, -1) {
		entries[string(m[1])+string(m[2])]++
	}
	want := map[string]int{}
	for _, e := range engine.Events() {
		id := messageID(e)
		require.Regexp(t, `^[0-9a-f]{32}$`, id, "%s", e)
		want[id], want[id+" zh_CN"] = 1, 1
	}
	require.Len(t, want, 2*len(engine.Events()), "each has its own")
	require.Equal(t, want, entries)
	require.Equal(t, len(want), strings.Count(string(text), "\n-- "), "every entry is well formed")
	require.Empty(t, messageID("no event"))
	docs, err := os.ReadFile("../../docs/logs.md")
	require.NoError(t, err)
	for _, e := range engine.Events() {
		require.Contains(t, string(docs), "| `"+string(e)+"` | `"+messageID(e)+"` |")
	}
}

func TestFields(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer l.Close()
	log := slog.New(newFieldsHandler(&journald.Conn{Path: path}, nil))
	log.Error("state", "event", engine.EventRolledBack, "update", "u1", "from", "1.0.0", "to", "1.1.0", "step", "Rollback",
		"was", "RollingBack", "state", "RolledBack", "code", "HEALTH_CHECK_FAILED", "err", "two\nlines", "took", time.Second)
	got := make([]byte, 4096)
	n, err := l.Read(got)
	require.NoError(t, err)
	for _, want := range []string{
		"PRIORITY=3\n", "SYSLOG_IDENTIFIER=tope-updater\n", "UPDATE_ID=u1\n", "FROM=1.0.0\n", "TO=1.1.0\n", "STEP=Rollback\n",
		"STATE=RolledBack\n", "OLD_STATE=RollingBack\n", "ERROR_CODE=HEALTH_CHECK_FAILED\n", "MESSAGE_ID=" + messageID(engine.EventRolledBack) + "\n",
		"TOOK=1s\n", `MESSAGE=state update=u1 from=1.0.0 to=1.1.0 step=Rollback was=RollingBack state=RolledBack code=HEALTH_CHECK_FAILED err="two; lines" took=1s` + "\n",
	} {
		require.Contains(t, string(got[:n]), want)
	}
}

// gate is a writer that lets nothing through until it is opened.
type gate struct {
	open chan struct{}
	got  chan []byte
}

func (g gate) Write(b []byte) (int, error) {
	<-g.open
	g.got <- bytes.Clone(b)
	return len(b), nil
}

func TestALogThatHangsHoldsNothingUp(t *testing.T) {
	g := gate{make(chan struct{}), make(chan []byte, 10_000)}
	log := slog.New(newFieldsHandler(&journald.Conn{Path: filepath.Join(t.TempDir(), "nobody")}, g)).With("update", "u1")
	for range 5000 {
		log.Info("state", "step", "Switch") // returns, or the test times out
	}
	close(g.open)
	require.Equal(t, "<6>msg=state update=u1 step=Switch\n", string(<-g.got))
}

func TestLogFormats(t *testing.T) {
	var out bytes.Buffer
	term := &terminal{err: &out}
	log, err := term.logger("json")
	require.NoError(t, err)
	log.Info("state", "update", "u1")
	require.Contains(t, out.String(), `"msg":"state","update":"u1"`)
	log.Info("a\u202eb")
	require.Contains(t, out.String(), `"msg":"a\u202eb"`)
	_, err = term.logger("xml")
	require.ErrorContains(t, err, "want auto, text, json or journal")
	require.Equal(t, 2, exitCode(err))
}
