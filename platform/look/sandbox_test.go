package look_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/roottest"
)

// confined makes a process 1, which sees what the test sees, and beside it one for which a
// directory is read-only and another one hidden. This one is looked at by itself, as the
// daemon does, and by the test, as the doctor does.
const confined = `
mount --make-rprivate / && mount -t proc proc /proc || exit
unshare --mount sh -c '
	mount --bind "$1/closed" "$1/closed" && mount -o remount,bind,ro "$1/closed" && mount --bind "$1/other" "$1/hidden" || exit
	LOOK_CONFINED=$1 exec "$2"' sh "$1" "$2"
exit $?
`

// TestMain is the confined process, too.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LOOK_CONFINED"); dir != "" {
		os.Exit(confinedProcess(dir))
	}
	os.Exit(m.Run())
}

// confinedProcess prints what its own sandbox denies, and waits for its standard input's end.
func confinedProcess(dir string) int {
	box, ok := look.OwnSandbox()
	if !ok {
		os.Stdout.WriteString("no sandbox\n")
		return 1
	}
	for _, c := range cases() {
		os.Stdout.WriteString(c.path + " " + string(box.Denies(filepath.Join(dir, c.path), c.write)) + "\n")
	}
	for _, path := range []string{"closed", "open", "really", "closed/way/down"} {
		err := os.WriteFile(filepath.Join(dir, path, "file"), nil, 0o600)
		if look.DeniedBySandbox(err) {
			os.Stdout.WriteString(path + " was denied\n")
		}
		if path == "really" && !errors.Is(err, unix.EROFS) {
			os.Stdout.WriteString("really is not read-only\n")
		}
	}
	os.Stdout.WriteString("end\n")
	_, _ = os.Stdin.Read(make([]byte, 1))
	return 0
}

type sandboxCase struct {
	path  string
	write bool
	want  look.Denial
}

func cases() []sandboxCase {
	return []sandboxCase{
		{"open", true, look.None},
		{"closed", true, look.ReadOnly},
		{"closed", false, look.None},
		{"closed/to/be/made", true, look.ReadOnly},
		{"link", true, look.ReadOnly},
		{"hidden", false, look.Hidden},
		{"hidden/inside", false, look.Hidden},
		{"really", true, look.None},
	}
}

func TestWhatASandboxDenies(t *testing.T) {
	roottest.Need(t, "mounts")
	dir := t.TempDir()
	for _, name := range []string{"open", "closed", "hidden/inside", "other", "really"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
	}
	require.NoError(t, os.Symlink("closed", filepath.Join(dir, "link")))
	really := filepath.Join(dir, "really")
	require.NoError(t, unix.Mount("none", really, "tmpfs", unix.MS_RDONLY, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(really, 0)) })

	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", confined, "sh", dir, self)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID, Unshareflags: unix.CLONE_NEWNS}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var said bytes.Buffer
	for !strings.HasSuffix(said.String(), "end\n") {
		piece := make([]byte, 4096)
		n, err := out.Read(piece)
		require.NoError(t, err, said.String())
		said.Write(piece[:n])
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	require.NoError(t, err)
	var want strings.Builder
	for _, c := range cases() {
		want.WriteString(c.path + " " + string(c.want) + "\n")
		require.Equal(t, c.want, look.SandboxOf(pid).Denies(filepath.Join(dir, c.path), c.write), "%+v", c)
	}
	require.Equal(t, want.String()+"closed was denied\nend\n", said.String())
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
	require.Equal(t, look.None, look.SandboxOf(1<<30).Denies(dir, true), "a process that is gone denies nothing")
}
