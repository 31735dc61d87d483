# Writes packages as people make them with Python's zipfile, to the directory in argv[1].
# People in people.go has what is to be said of each.
import io, os, sys, warnings, zipfile

warnings.simplefilter("ignore")  # about names that come twice
os.chdir(sys.argv[1])
RUN = "#!/bin/sh\n"


def manifest(version="1.2.3", src="app", dst="/opt/tope/services/app"):
    return '{\n "version": "%s",\n "modules": [{"name": "app", "src": "%s", "dst": "%s"}]\n}\n' % (version, src, dst)


def write(name, entries, method=zipfile.ZIP_DEFLATED, comment=b"", out=None):
    with zipfile.ZipFile(out or name, "w", method) as z:
        for path, data in entries:
            z.writestr(path, data)
        z.comment = comment


def sound(m=None, **how):
    return [("manifest.json", m if m is not None else manifest(**how)), ("app/run", RUN)]


def info(name, mode=0o100755, system=3):
    i = zipfile.ZipInfo("x")
    i.filename = name  # the constructor would correct it
    i.create_system, i.external_attr, i.compress_type = system, mode << 16, zipfile.ZIP_DEFLATED
    return i


write("plain.zip", sound())
write("byte-order-mark.zip", sound(b"\xef\xbb\xbf" + manifest().encode()))
write("mac-litter.zip", sound() + [(".DS_Store", "x"), ("app/.DS_Store", "x"), ("__MACOSX/._manifest.json", "x"), ("__MACOSX/app/._run", "x")])
write("comment.zip", sound(), comment=b"made by hand")
write("stored.zip", sound(), zipfile.ZIP_STORED)
write("other-alphabets.zip", sound() + [("app/\u00fcbersicht-\u65e5\u672c.txt", "x")])
write("directories.zip", [(info("app/", 0o040755), "")] + sound())
with zipfile.ZipFile("zip64.zip", "w") as z:
    for path, data in sound():
        with z.open(path, "w", force_zip64=True) as f:
            f.write(data.encode())


class Pipe(io.RawIOBase):
    """A stream that cannot be sought in: sizes come behind the data."""
    def __init__(self, name): self.f = open(name, "wb")
    def writable(self): return True
    def write(self, b): return self.f.write(b)
    def close(self): self.f.close()


pipe = Pipe("streamed.zip")
write("", sound(), out=pipe)
pipe.close()

write("folder.zip", [("release-1.2/" + p, d) for p, d in sound()])
write("mac-folder.zip", [(".DS_Store", "x"), (info("release-1.2/", 0o040755), "")] + [("release-1.2/" + p, d) for p, d in sound()] + [("__MACOSX/release-1.2/._run", "x")])
write("folder-and-more.zip", [("release/" + p, d) for p, d in sound()] + [("README", "x")])
write("no-manifest.zip", [("app/run", RUN)])
write("capital.zip", [("Manifest.json", manifest()), ("app/run", RUN)])
write("suffix.zip", [("manifest.json.txt", manifest()), ("app/run", RUN)])
write("two-numbers.zip", sound(version="1.2"))
write("leading-zeros.zip", sound(version="2024.01.05"))
write("with-v.zip", sound(version="v1.2.3"))
write("four-numbers.zip", sound(version="1.2.3.4"))
write("blank.zip", sound(version="1.2.3 "))
write("no-version.zip", sound(manifest().replace('"version"', '"Release"')))
write("number.zip", sound(manifest().replace('"1.2.3"', "1.2")))
write("utf-16.zip", sound(manifest().encode("utf-16")))
write("latin-1.zip", sound(manifest().replace('"app"', '"\u00fcber"', 1).encode("latin-1")))
write("comma.zip", sound(manifest().replace("}]", "}],")))
write("elsewhere.zip", sound(dst="/etc/app"))
write("other-case.zip", sound(src="App"))
write("manifest-twice.zip", sound() + [("manifest.json", manifest(version="1.2.4"))])
write("twice.zip", sound() + [("app/run", RUN)])
write("case.zip", sound() + [("app/Run", RUN)])
write("backslashes.zip", [("manifest.json", manifest()), (info("app\\run", 0, 0), RUN)])
write("absolute.zip", [("manifest.json", manifest()), (info("/app/run"), RUN)])
write("drive.zip", [("manifest.json", manifest()), (info("C:/app/run", 0, 0), RUN)])
write("dot.zip", [(info("./manifest.json"), manifest()), (info("./app/run"), RUN)])
write("bzip2.zip", sound(), zipfile.ZIP_BZIP2)
write("lzma.zip", sound(), zipfile.ZIP_LZMA)
write("setuid.zip", [("manifest.json", manifest()), (info("app/run", 0o104755), RUN)])
write("unpacks-itself.zip", sound())
with open("unpacks-itself.zip", "r+b") as f:
    rest = f.read()
    f.seek(0)
    f.write(b"#!/bin/sh\nexit\n" + rest)
