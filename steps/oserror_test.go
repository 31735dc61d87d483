package steps_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/steps"
)

func TestFromOS(t *testing.T) {
	require.NoError(t, steps.FromOS(nil, "cannot write /x"))
	for err, want := range map[error]steps.Error{
		syscall.ENOSPC:   {Class: steps.Local, Code: steps.DiskFull},
		syscall.EDQUOT:   {Class: steps.Local, Code: steps.DiskFull},
		syscall.EIO:      {Class: steps.Local, Code: steps.IOError},
		syscall.EROFS:    {Class: steps.Local, Code: steps.IOError},
		fs.ErrPermission: {Class: steps.Local, Code: steps.Internal},
		context.Canceled: {Class: steps.Interrupted, Code: steps.Internal},
	} {
		wrapped := &fs.PathError{Op: "write", Path: "/x", Err: err}
		e := steps.AsError(steps.FromOS(wrapped, "cannot write /x"))
		require.Equal(t, [2]any{want.Class, want.Code}, [2]any{e.Class, e.Code}, "%v", err)
		require.ErrorIs(t, e, err)
		require.ErrorContains(t, e, "cannot write /x: ")
	}
	kept := &steps.Error{Class: steps.Refused, Code: steps.MD5Mismatch, Err: errors.New("x"), Hint: "publish it again"}
	e := steps.AsError(steps.FromOS(fmt.Errorf("y: %w", kept), "z"))
	require.Equal(t, steps.MD5Mismatch, e.Code)
	require.Equal(t, "publish it again", e.Hint)
}
