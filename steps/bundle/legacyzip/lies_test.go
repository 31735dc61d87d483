package legacyzip_test

import (
	"bytes"
	"encoding/binary"
	"fmt"

	bt "github.com/tope/updater/steps/bundle/bundletest"
)

var le = binary.LittleEndian

// put edits a field of a record: two bytes or four, by the type of v.
func put[T uint16 | uint32](at int, v T) func([]byte) {
	return func(rec []byte) {
		switch v := any(v).(type) {
		case uint16:
			le.PutUint16(rec[at:], v)
		case uint32:
			le.PutUint32(rec[at:], v)
		}
	}
}

// raw is a manifest of this text.
func raw(text string) bt.Zip {
	return bt.Zip{Entries: []bt.Entry{{Name: "manifest.json", Data: []byte(text), Store: true}, file("app/run")}}
}

func file(name string) bt.Entry { return bt.Entry{Name: name, Data: []byte("content of a file")} }

func named(name string) bt.Zip { return bt.App(file("app/run"), file(name)) }

func edited(edit func(*bt.Entry)) bt.Zip {
	e := file("app/run")
	edit(&e)
	return bt.App(e)
}

// lying is the sound package inside a file whose records lie.
func lying(z bt.Zip) bt.Zip {
	z.Entries = bt.Package("1.2.0").Entries
	return z
}

func link(name, target string) bt.Entry {
	return bt.Entry{Name: name, Mode: bt.Symlink, Data: []byte(target), Store: true}
}

func modules(m ...bt.Module) bt.Zip {
	return bt.Zip{Entries: []bt.Entry{bt.Manifest("1.2.0", m...), file("app/run"), file("app/other")}}
}

func to(dst string) bt.Zip { return modules(bt.Module{Name: "app", Src: "app", Dst: dst}) }

func from(src string) bt.Zip {
	return modules(bt.Module{Name: "app", Src: src, Dst: "/opt/tope/services/app"})
}

func service(name string) bt.Zip {
	return modules(bt.Module{Name: "app", Src: "app", Dst: "/opt/tope/services/app", ProcessName: name})
}

func many(n int) (all []bt.Entry) {
	for i := range n {
		all = append(all, file(fmt.Sprintf("app/f%d", i)))
	}
	return all
}

func truncated(z bt.Zip, n int) []byte {
	data := z.Bytes()
	return data[:len(data)-n]
}

// listedTwice has a directory whose last entry is a copy of the one before.
func listedTwice() []byte {
	z := bt.App(file("app/a"), file("app/b"))
	z.Central = func(dir []byte) []byte {
		first := 46 + len("manifest.json")
		second := first + 46 + len("app/a")
		copy(dir[second:], dir[first:second])
		return dir
	}
	return z.Bytes()
}

// nestedData has an entry whose header and data lie in another's stored data.
func nestedData() []byte {
	inner := bt.Zip{Entries: []bt.Entry{{Name: "app/in", Data: []byte("inner"), Store: true}}}.Bytes()
	header := inner[:30+len("app/in")+len("inner")]
	z := bt.App(bt.Entry{Name: "app/outer", Data: header, Store: true}, bt.Entry{Name: "app/in", Data: []byte("inner"), Store: true})
	z.Central = func(dir []byte) []byte {
		outer := 46 + len("manifest.json")
		in := outer + 46 + len("app/outer")
		le.PutUint32(dir[in+42:], le.Uint32(dir[outer+42:])+uint32(30+len("app/outer")))
		return dir
	}
	return z.Bytes()
}

// multiplied is a package that installs one file n times.
func multiplied(n int) []byte {
	var mods []bt.Module
	for i := range n {
		mods = append(mods, bt.Module{Src: "app/run", Dst: fmt.Sprintf("/opt/tope/x%d", i)})
	}
	return bt.Zip{Entries: []bt.Entry{bt.Manifest("1.2.0", mods...), {Name: "app/run", Data: bytes.Repeat([]byte("0123456789"), 2000)}}}.Bytes()
}
