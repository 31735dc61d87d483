package legacy_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/legacy"
	"github.com/tope/updater/journal"
	"github.com/tope/updater/steps"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with testdata/name. Frozen: a difference breaks clients
// in the field, so look twice before running with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// open is a status with an open update from 1.0.0 to 1.1.0.
func open(s engine.State, progress int) engine.Status {
	return engine.Status{State: s, Update: &engine.UpdateStatus{
		ID: "u1", Kind: engine.Install, From: "1.0.0", To: "1.1.0", State: s, Progress: progress,
	}}
}

// over is a status whose last update ended in s, d ago.
func over(s engine.State, d time.Duration) engine.Status {
	st := open(s, 0)
	st.State, st.Last, st.Update = engine.Idle, st.Update, nil
	st.Last.SinceEnd = d
	return st
}

func body(s engine.Status) string {
	return string(legacy.AppendProgress(nil, legacy.Of(s)))
}

func TestEveryStateHasItsFrozenBody(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-14s %s\n", engine.Idle, body(engine.Status{State: engine.Idle}))
	for _, s := range engine.States() {
		st := open(s, 50)
		switch s {
		case engine.Failed:
			st.Update.Error = &engine.ErrorStatus{Code: "MD5_MISMATCH", Class: "refused", Text: "got d41d8cd98f00b204e9800998ecf8427e"}
		case engine.Cancelled:
			st.Update.Error = &engine.ErrorStatus{Code: "CANCELLED", Class: "interrupted"}
		case engine.RollingBack, engine.RolledBack, engine.FallingBack, engine.FellBack, engine.NeedsAttention:
			st.Update.Cause = &engine.ErrorStatus{Code: "HEALTH_CHECK_FAILED", Class: "unhealthy", Text: "device-api: no answer from http://127.0.0.1:9080/health"}
			st.Update.Error = &engine.ErrorStatus{Code: "SERVICE_FAILED", Class: "unhealthy", Text: "what rolling back met"}
		}
		fmt.Fprintf(&b, "%-14s %s\n", s, body(st))
	}
	golden(t, "progress.golden", b.String())
}

func TestKindsAndVersionsThatAreMissing(t *testing.T) {
	var b strings.Builder
	for _, k := range []journal.Kind{engine.Install, engine.ByHand, engine.Restore, engine.Recovered} {
		st := open(engine.Requested, 0)
		st.Update.Kind = k
		fmt.Fprintf(&b, "%s: %s\n", k, body(st))
	}
	st := open(engine.Downloading, 7)
	st.Update.To = ""
	fmt.Fprintf(&b, "version unknown: %s\n", body(st))
	for _, s := range []engine.State{engine.Failed, engine.Cancelled, engine.RollingBack, engine.RolledBack, engine.FallingBack, engine.FellBack, engine.NeedsAttention, "SomethingNewer"} {
		st := open(s, 0)
		st.Update.From = ""
		fmt.Fprintf(&b, "%s, first install, no error kept: %s\n", s, body(st))
	}
	golden(t, "odd.golden", b.String())
}

func TestSuccessIsVisibleFor65Seconds(t *testing.T) {
	for _, c := range []struct {
		since time.Duration
		want  legacy.Stage
	}{
		{0, legacy.Success},
		{64*time.Second + 999*time.Millisecond, legacy.Success},
		{65 * time.Second, legacy.Idle},
		{24 * time.Hour, legacy.Idle},
		{-time.Second, legacy.Idle}, // the clock was set back across a reboot
	} {
		require.Equal(t, c.want, legacy.Of(over(engine.Committed, c.since)).Stage, c.since)
	}
	// Cleaning up after the commit record does not hide the success.
	require.Equal(t, legacy.Success, legacy.Of(open(engine.Committed, 0)).Stage)
}

func TestFailureStaysUntilTheNextRequest(t *testing.T) {
	for _, s := range []engine.State{engine.Failed, engine.Cancelled, engine.RolledBack, engine.FellBack, engine.NeedsAttention} {
		st := over(s, 365*24*time.Hour)
		require.Equal(t, legacy.Failed, legacy.Of(st).Stage, s)
		st.Update = open(engine.Requested, 0).Update
		require.Equal(t, legacy.Downloading, legacy.Of(st).Stage, s)
	}
}

// TestProgressNeverGoesBack walks every path an update takes forwards, each
// state from 0 to 100.
func TestProgressNeverGoesBack(t *testing.T) {
	last := map[legacy.Stage]int{}
	for _, s := range engine.States() {
		for p := -5; p <= 105; p += 5 {
			v := legacy.Of(open(s, p))
			require.GreaterOrEqual(t, v.Progress, last[v.Stage], "%s at %d", s, p)
			require.LessOrEqual(t, v.Progress, 100)
			require.Equal(t, v.Stage == legacy.Failed, v.Error != nil)
			if v.Stage != legacy.Success && v.Stage != legacy.ToInstall {
				last[v.Stage] = v.Progress
			}
		}
	}
	require.Equal(t, 100, last[legacy.Downloading])
	require.Equal(t, 100, last[legacy.Installing])
}

func TestOnlyCommittedLooksLikeSuccess(t *testing.T) {
	for _, s := range engine.States() {
		require.Equal(t, s == engine.Committed, legacy.Of(open(s, 100)).Stage == legacy.Success, s)
	}
}

func TestRefusals(t *testing.T) {
	v := legacy.Of(open(engine.Downloading, 37))
	var b strings.Builder
	for _, err := range []error{
		&engine.BusyError{Update: "u1", State: engine.Downloading},
		fmt.Errorf("digest md5:0: %w", engine.ErrQuarantined),
		engine.ErrNothingToDo,
		engine.ErrNotFound,
		engine.ErrExpired,
		fmt.Errorf("%w: a <reason> & \"another\"", engine.ErrInvalid),
		fmt.Errorf("%w: /var/lib: read-only file system", engine.ErrJournal),
		errors.New("anything"),
		steps.FromOS(unix.ENOSPC, "keep the URL"),
	} {
		r := legacy.Refuse(err, "1.1.0", v)
		fmt.Fprintf(&b, "%d %s\n", r.HTTP, r.Body)
	}
	// The update that kept the device busy ended before the answer was written.
	late := legacy.Refuse(&engine.BusyError{Update: "u1", State: engine.Staging}, "1.1.0", legacy.View{Stage: legacy.Idle})
	fmt.Fprintf(&b, "%d %s\n", late.HTTP, late.Body)
	r := legacy.Invalid(400, "package_size must be greater than 0")
	fmt.Fprintf(&b, "%d %s\n%s\n", r.HTTP, r.Body, legacy.Accepted)
	golden(t, "refusals.golden", b.String())
}

// TestAppendedBodiesAreJSON compares the hand-written encoder with
// encoding/json, on strings that need escaping, too.
func TestAppendedBodiesAreJSON(t *testing.T) {
	for _, text := range []string{"plain", "\"quoted\" \\ back", "line\nbreak\x00\x1f", "größer 版本", "bad \xff utf-8", "<a href='x'>&\u2028"} {
		st := open(engine.Failed, 0)
		st.Update.Error = &engine.ErrorStatus{Code: "IO_ERROR", Text: text}
		var got struct {
			Code     int
			Data     legacy.View
			Stage    string
			Progress int
		}
		require.NoError(t, json.Unmarshal([]byte(body(st)), &got))
		require.Equal(t, "IO_ERROR: "+strings.ToValidUTF8(text, "\uFFFD"), *got.Data.Error)
		require.Equal(t, 500, got.Code)
		require.Equal(t, "failed", got.Stage)
	}
}

func TestPollAllocatesNothingButTheMessage(t *testing.T) {
	st, buf := open(engine.Downloading, 42), make([]byte, 0, 512)
	allocs := testing.AllocsPerRun(1000, func() { buf = legacy.AppendProgress(buf[:0], legacy.Of(st)) })
	require.LessOrEqual(t, allocs, 2.0)
}
