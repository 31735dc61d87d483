package journal

import (
	"fmt"
	"runtime/debug"
)

// guard runs f, which calls bbolt, and turns a panic of bbolt into an error.
// bbolt panics when the file under its memory map is not what it expects; when
// the disk cannot deliver a page, the fault becomes a panic too. Only this
// goroutine is guarded, so f must not start another one that reads.
func guard(f func() error) (err error, panicked bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err, panicked = &flaw{DamagedPages, fmt.Sprintf("bbolt cannot go on: %v", r)}, true
		}
	}()
	return f(), false
}
