package journal

import (
	"fmt"
	"runtime/debug"
)

// guard runs f, which calls bbolt, and makes an error of what bbolt does when
// the file under its memory map is not what it expects: a panic, or a fault
// when the disk cannot deliver a page. Only this goroutine is guarded; nothing
// in f may start another that reads.
func guard(f func() error) (err error, panicked bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err, panicked = &flaw{DamagedPages, fmt.Sprintf("bbolt cannot go on: %v", r)}, true
		}
	}()
	return f(), false
}
