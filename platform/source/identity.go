package source

import (
	"fmt"
	"io/fs"
	"syscall"
)

// Identity names a file, with its content as it is, during one boot: no other file has
// the same device, number and time of change, and nobody can set the last. The numbers of
// devices are given anew at each boot, so an identity of another boot fits nothing. It is
// empty for info that is not of a Linux file.
func Identity(info fs.FileInfo, boot string) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s/%d/%d/%d/%d.%09d", boot, st.Dev, st.Ino, st.Size, st.Ctim.Sec, st.Ctim.Nsec)
}
