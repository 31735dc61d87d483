//go:build linux && amd64

package trace

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The parts of the seccomp interface that x/sys does not name.
const (
	retUserNotif = 0x7fc00000
	retErrno     = 0x00050000
	retAllow     = 0x7fff0000

	filterNew      = 1      // SECCOMP_SET_MODE_FILTER
	flagTsync      = 1 << 0 // on all threads
	flagListener   = 1 << 3 // return a descriptor to listen on
	flagTsyncEsrch = 1 << 4
	// Without this flag a signal (Go preempts with SIGURG) makes the kernel forget
	// a call that was already handed out and ask again: it would be counted twice.
	flagWaitKillable = 1 << 5

	offNr, offArch = 0, 4
)

// offArg is where the lower half of argument i is in struct seccomp_data.
func offArg(i int) uint32 { return uint32(16 + 8*i) }

// watched are the calls that stop with any arguments.
func watched() []uint32 {
	return []uint32{
		unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2,
		unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_SYNC_FILE_RANGE, unix.SYS_SYNCFS, unix.SYS_SYNC,
		unix.SYS_FTRUNCATE, unix.SYS_TRUNCATE, unix.SYS_FALLOCATE,
		unix.SYS_RENAME, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2,
		unix.SYS_UNLINK, unix.SYS_UNLINKAT, unix.SYS_RMDIR, unix.SYS_MKDIR, unix.SYS_MKDIRAT,
		unix.SYS_SYMLINK, unix.SYS_SYMLINKAT, unix.SYS_LINK, unix.SYS_LINKAT,
		unix.SYS_CHMOD, unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2,
		unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT,
		unix.SYS_UTIMENSAT, unix.SYS_MKNOD, unix.SYS_MKNODAT,
		unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR,
		unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR,
		unix.SYS_CREAT, unix.SYS_OPENAT2,
		unix.SYS_COPY_FILE_RANGE, unix.SYS_SENDFILE, unix.SYS_SPLICE,
	}
}

// Clone requests: they copy bytes without showing them.
const (
	ficlone      = 0x40049409
	ficloneRange = 0x4020940d
)

// program is the filter: calls that it does not name run at full speed.
func program() []unix.SockFilter {
	const (
		ld  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		jeq = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		jst = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret = unix.BPF_RET | unix.BPF_K
	)
	allow, ask := unix.SockFilter{Code: ret, K: retAllow}, unix.SockFilter{Code: ret, K: retUserNotif}
	f := []unix.SockFilter{
		{Code: ld, K: offArch},
		{Code: jeq, K: unix.AUDIT_ARCH_X86_64, Jt: 1},
		allow,
		{Code: ld, K: offNr},
	}
	for _, nr := range watched() {
		f = append(f, unix.SockFilter{Code: jeq, K: nr, Jf: 1}, ask)
	}
	// An io_uring would write past the filter: the machine does not have any.
	f = append(f, unix.SockFilter{Code: jeq, K: unix.SYS_IO_URING_SETUP, Jf: 1},
		unix.SockFilter{Code: ret, K: retErrno | uint32(unix.ENOSYS)})
	// Opens count when they can create or empty a file.
	const changing = unix.O_CREAT | unix.O_TRUNC | (unix.O_TMPFILE &^ unix.O_DIRECTORY)
	for nr, arg := range map[uint32]int{unix.SYS_OPEN: 1, unix.SYS_OPENAT: 2} {
		f = append(f, unix.SockFilter{Code: jeq, K: nr, Jf: 4}, unix.SockFilter{Code: ld, K: offArg(arg)},
			unix.SockFilter{Code: jst, K: changing, Jf: 1}, ask, allow)
	}
	// Mappings count when they are shared, writable and of a file.
	f = append(f, unix.SockFilter{Code: jeq, K: unix.SYS_MMAP, Jf: 8},
		unix.SockFilter{Code: ld, K: offArg(2)}, unix.SockFilter{Code: jst, K: unix.PROT_WRITE, Jf: 5},
		unix.SockFilter{Code: ld, K: offArg(3)}, unix.SockFilter{Code: jst, K: unix.MAP_SHARED, Jf: 3},
		unix.SockFilter{Code: jst, K: unix.MAP_ANONYMOUS, Jt: 2}, ask, allow, allow)
	f = append(f, unix.SockFilter{Code: jeq, K: unix.SYS_IOCTL, Jf: 5}, unix.SockFilter{Code: ld, K: offArg(1)},
		unix.SockFilter{Code: jeq, K: ficlone, Jt: 1}, unix.SockFilter{Code: jeq, K: ficloneRange, Jf: 1}, ask, allow)
	return append(f, allow)
}

// install puts the filter on all threads of this process, for good, and returns
// the descriptor at which its questions arrive.
func install() (int, error) {
	f := program()
	prog := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	fd, _, e := unix.RawSyscall(unix.SYS_SECCOMP, filterNew,
		flagListener|flagTsync|flagTsyncEsrch|flagWaitKillable, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return -1, os.NewSyscallError("seccomp", e)
	}
	unix.CloseOnExec(int(fd))
	return int(fd), nil
}
