include(CTest)
find_program(SLICER_HOST_PYTHON NAMES python3 python DOC "Interpreter with slicer-core and PySide6")

# Copies listed files at build time and installs them with their relative paths, as in a build tree of Slicer.
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: unknown keywords ${MY_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT MY_NAME OR NOT MY_SCRIPTS)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: NAME and SCRIPTS are mandatory")
  endif()
  set(destination ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR})
  foreach(file IN LISTS MY_SCRIPTS MY_RESOURCES)
    if(IS_ABSOLUTE ${file} OR file MATCHES "\\.\\.")
      message(FATAL_ERROR "${MY_NAME}: ${file} would be copied to a wrong place; list it relative to this folder")
    endif()
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
      message(FATAL_ERROR "${MY_NAME} lists a file that does not exist:\n  ${file}")
    endif()
  endforeach()
  string(REPLACE ";" "\n" names "${MY_SCRIPTS};${MY_RESOURCES}")
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${MY_NAME}.txt "${names}\n")
  add_custom_target(Copy${MY_NAME}Files ALL
    COMMAND ${CMAKE_COMMAND}
      -DSOURCE=${CMAKE_CURRENT_SOURCE_DIR} -DDESTINATION=${destination}
      -DLIST=${CMAKE_CURRENT_BINARY_DIR}/${MY_NAME}.txt -P ${SlicerHost_DIR}/cmake/CopyFiles.cmake
    )
  install(DIRECTORY ${destination}/ DESTINATION ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR} PATTERN __pycache__ EXCLUDE)
  if(BUILD_TESTING AND MY_WITH_GENERIC_TESTS)
    add_test(
      NAME py_nomainwindow_qSlicer${MY_NAME}ModuleGenericTest
      COMMAND ${SLICER_HOST_PYTHON} ${SlicerHost_DIR}/run_unittest.py ${destination}/${MY_NAME}.py --generic
      )
  endif()
endfunction()

# Registers the module's own test, run by the stand-ins from the built tree.
function(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "SCRIPT;TESTNAME_PREFIX" "SLICER_ARGS" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "slicer_add_python_unittest: unknown keywords ${MY_UNPARSED_ARGUMENTS}")
  endif()
  get_filename_component(name ${MY_SCRIPT} NAME_WE)
  add_test(
    NAME py_${MY_TESTNAME_PREFIX}${name}
    COMMAND ${SLICER_HOST_PYTHON} ${SlicerHost_DIR}/run_unittest.py
            ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}/${MY_SCRIPT}
    )
endfunction()
