vcpkg_download_distfile(archive
    URLS "@ACRE_URL@"
    FILENAME "acre-${VERSION}.tar.gz"
    SHA512 @ACRE_SHA512@
)
vcpkg_extract_source_archive(source ARCHIVE "${archive}")

# It takes static or shared from BUILD_SHARED_LIBS, which vcpkg sets.
vcpkg_cmake_configure(SOURCE_PATH "${source}")
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/acre)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${source}/LICENSE-MIT" "${source}/LICENSE-APACHE")
