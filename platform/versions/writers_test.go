package versions_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/versions"
)

func TestWriters(t *testing.T) {
	roottest.Need(t, "writing to what nobody may write")
	d := newDevice(t)
	d.publish("1.0.0")
	found, err := d.Writers("1.0.0")
	require.NoError(t, err)
	require.Empty(t, found)

	const dir = "/opt/tope/versions/v1.0.0/services/device-api"
	start := func(cmd *exec.Cmd) int {
		cmd.Args[0] = "writer"
		require.NoError(t, cmd.Start())
		t.Cleanup(func() {
			require.NoError(t, cmd.Process.Kill())
			_ = cmd.Wait() // it was killed
		})
		return cmd.Process.Pid
	}
	inside := exec.CommandContext(t.Context(), "sleep", "1000")
	inside.Dir = d.root + dir
	first := start(inside)

	f, err := os.OpenFile(d.root+dir+"/run", os.O_WRONLY, 0) // root may
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	r, err := os.Open(d.root + dir + "/run")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	outside := exec.CommandContext(t.Context(), "sleep", "1000")
	outside.ExtraFiles = []*os.File{r, f}
	second := start(outside)
	reading := exec.CommandContext(t.Context(), "sleep", "1000")
	reading.ExtraFiles = []*os.File{r}
	start(reading)

	found, err = d.Writers("1.0.0")
	require.NoError(t, err)
	require.ElementsMatch(t, []versions.Writer{
		{PID: first, Program: "sleep", Path: dir, Dir: true},
		{PID: second, Program: "sleep", Path: dir + "/run"},
	}, found)
	require.Contains(t, found[0].String(), "in the version: "+dir)
}
