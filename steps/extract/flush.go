package extract

import (
	"os"

	"golang.org/x/sys/unix"
)

// flusher asks the kernel to begin writing a file to the disk while the next
// bytes are still being unpacked, so that the sync at the end finds little left
// to do. It makes nothing durable: only SyncFS does.
type flusher struct {
	f    *os.File
	from int64
}

const flushEvery = 8 << 20

func (w *flusher) wrote(size int64) {
	if size-w.from >= flushEvery {
		w.closing(size)
	}
}

// closing flushes the rest; small files are left to the end, where the kernel
// can lay them out together.
func (w *flusher) closing(size int64) {
	const small = 256 << 10
	if size-w.from < small {
		return
	}
	// An error here is met again, and reported, by the sync at the end.
	_ = unix.SyncFileRange(int(w.f.Fd()), w.from, size-w.from, unix.SYNC_FILE_RANGE_WRITE)
	w.from = size
}
