package systemdtest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/roottest"
	"github.com/tope/updater/platform/service/systemdtest"
)

// abandonVariable makes TestToBeKilled boot a machine and wait to be killed.
const abandonVariable = "TOPE_TO_BE_KILLED"

func TestToBeKilled(t *testing.T) {
	if os.Getenv(abandonVariable) == "" {
		return // it is for the next test
	}
	m := systemdtest.New(t)
	m.Boot()
	fmt.Printf("booted %s %d\n", m.Disk("/"), m.Leader())
	select {}
}

// A test program that is killed leaves a directory behind, and perhaps a machine
// that runs. The next test program removes both, and leaves other tests' alone.
func TestLeftoversAreRemoved(t *testing.T) {
	roottest.Need(t, "a machine with a systemd of its own")
	other := systemdtest.New(t)
	other.Boot()

	cmd := exec.Command(os.Args[0], "-test.run=^TestToBeKilled$")
	cmd.Env = append(os.Environ(), abandonVariable+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var disk string
	var leader int
	for lines := bufio.NewScanner(out); leader == 0 && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "booted %s %d", &disk, &leader)
	}
	require.NotZero(t, leader)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	dir := strings.TrimSuffix(disk[strings.Index(disk, "/root/")+len("/root"):], "/root")
	require.DirExists(t, dir)

	systemdtest.Sweep()
	require.NoDirExists(t, dir)
	other.Wait("the machine is off", func() bool { return syscall.Kill(leader, 0) == syscall.ESRCH })
	require.True(t, other.On())
	require.Equal(t, other.Name()+"\n", other.MustRun("hostname"))
}
