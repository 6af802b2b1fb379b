from conan import ConanFile
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, get, rmdir


class AcreConan(ConanFile):
    name = "acre"
    version = "@ACRE_VERSION@"
    description = "Memory maps, arenas and guarded stacks for programs that manage their own memory"
    license = "MIT OR Apache-2.0"
    homepage = "@ACRE_HOMEPAGE@"
    topics = ("memory", "arena", "allocator", "mmap", "coroutines")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}
    implements = ["auto_shared_fpic"]
    languages = "C"

    def layout(self):
        cmake_layout(self, src_folder="src")

    def source(self):
        get(self, **self.conan_data["sources"][self.version], strip_root=True)

    def generate(self):
        CMakeToolchain(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE-*", self.source_folder, f"{self.package_folder}/licenses")
        CMake(self).install()
        # Conan writes its own of these.
        for folder in "lib/cmake", "lib/pkgconfig", "share":
            rmdir(self, f"{self.package_folder}/{folder}")

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "acre")
        self.cpp_info.set_property("pkg_config_name", "acre")
        core = self.cpp_info.components["acre"]
        core.libs = ["acre"]
        core.set_property("cmake_target_name", "acre::acre")
        if self.settings.os == "Windows" and self.options.shared:
            core.defines = ["ACRE_SHARED"]
        if self.settings.os in ("Linux", "FreeBSD"):
            core.system_libs = ["pthread"]
            core.sharedlinkflags = core.exelinkflags = ["-Wl,-z,nodelete"]
        for package in "mmap", "arena", "stack":
            component = self.cpp_info.components[package]
            component.requires = ["acre"]
            component.set_property("cmake_target_name", f"acre::{package}")
